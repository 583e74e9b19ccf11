import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerdConfig } from '../../../scripts/setup/containerd-instance.mjs';
import { mountsBelow } from '../../../scripts/setup/containerd-remains.mjs';
import {
  checkNodeVersion,
  ensureDebianPackages,
  missingPackages,
  type NeededPackage,
  RUN_PACKAGES,
  TEST_PACKAGES,
} from '../../../scripts/setup/index.mjs';
import {
  endProcess,
  runningPid,
  startTimeOf,
  writePidFile,
} from '../../../scripts/setup/process-identity.mjs';
import { installedProgram } from '../images/debian-files.ts';
import { type ManagedProcess, startProcess } from '../processes/index.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-setup-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const program = (name: string, content: string | Buffer = '#!/bin/sh\n') => {
  const file = join(directory, name);
  writeFileSync(file, content);
  chmodSync(file, 0o755);
};

describe('missing packages', () => {
  const needed: NeededPackage = { name: 'nftables', why: 'routes', programs: ['nft'] };
  const optional: NeededPackage = {
    name: 'conntrack',
    why: 'forgets',
    programs: ['conntrack'],
    isOptional: true,
  };
  const said: string[] = [];
  const report = {
    step: (text: string) => said.push(text),
    detail: (text: string) => said.push(text),
    warn: (text: string) => said.push(text),
  };
  beforeEach(() => {
    said.length = 0;
  });

  it('are those whose programs are not on the path', () => {
    expect(missingPackages([needed], directory)).toEqual([needed]);
    program('nft');
    expect(missingPackages([needed], directory)).toEqual([]);
    chmodSync(join(directory, 'nft'), 0o644);
    expect(missingPackages([needed], directory)).toEqual([needed]);
    rmSync(join(directory, 'nft'));
    mkdirSync(join(directory, 'nft'));
    expect(missingPackages([needed], directory)).toEqual([needed]);
  });

  it('include one whose program is there but not static', () => {
    const busybox: NeededPackage = {
      name: 'busybox-static',
      why: '',
      programs: ['busybox'],
      mustBeStatic: true,
    };
    program('busybox', readFileSync(process.execPath));
    expect(missingPackages([busybox], directory)).toEqual([busybox]);
    copyFileSync(installedProgram('busybox', 'busybox-static'), join(directory, 'busybox'));
    expect(missingPackages([busybox], directory)).toEqual([]);
  });

  it('that are all there need neither root nor apt', async () => {
    program('nft');
    expect(await ensureDebianPackages([needed], { report, isRoot: false, path: directory })).toEqual([]);
    expect(said).toEqual([]);
  });

  it('without apt-get end with the names of the programs', async () => {
    const failure = await ensureDebianPackages([needed, optional], {
      report,
      isRoot: true,
      path: directory,
    }).catch((error) => error);
    expect(failure.name).toBe('SetupError');
    expect(failure.message).toContain('- nftables: routes');
    expect(failure.message).toContain('no apt-get');
    expect(failure.message).toMatch(/start again: nft\.$/);
  });

  it('without root end with the command to type', async () => {
    program('apt-get');
    await expect(ensureDebianPackages([needed], { report, isRoot: false, path: directory })).rejects.toThrow(
      'sudo apt-get install --no-install-recommends nftables',
    );
  });

  it('that are optional stop nothing', async () => {
    expect(await ensureDebianPackages([optional], { report, isRoot: true, path: directory })).toEqual([]);
    expect(said.join()).toContain('Going on without conntrack');
  });

  it('are named once in both lists, each with a reason', () => {
    const names = [...RUN_PACKAGES, ...TEST_PACKAGES].map((wanted) => wanted.name);
    expect(new Set(names).size).toBe(names.length);
    for (const wanted of [...RUN_PACKAGES, ...TEST_PACKAGES]) expect(wanted.why).not.toBe('');
  });
});

describe('the version of Node.js', () => {
  it('is compared by number', () => {
    checkNodeVersion('20.11', '20.11.0');
    checkNodeVersion('20.11', '20.20.2');
    checkNodeVersion('20.11', '22.0.0');
    expect(() => checkNodeVersion('20.11', '20.9.1')).toThrow(/20\.9\.1 is too old: 20\.11/);
    expect(() => checkNodeVersion('20.11', '18.20.0')).toThrow(/too old/);
  });
});

describe('a pid file', () => {
  let sleeper: ManagedProcess | undefined;
  afterEach(async () => {
    await sleeper?.stop();
    sleeper = undefined;
  });

  it('names one process for ever', async () => {
    const file = join(directory, 'pid');
    expect(runningPid(file)).toBeUndefined();
    sleeper = await startProcess({ command: 'sleep', args: ['100'], logFile: join(directory, 'log') });
    writePidFile(file, sleeper.pid);
    expect(runningPid(file)).toBe(sleeper.pid);
    // The same id with another start time, or of another boot, is another process.
    const [pid, startTime, boot] = readFileSync(file, 'utf8').trim().split(' ') as [string, string, string];
    for (const text of [
      `${pid} ${Number(startTime) + 1} ${boot}`,
      `${pid} ${startTime} other`,
      'rubbish',
      '',
    ]) {
      writeFileSync(file, text);
      expect(runningPid(file)).toBeUndefined();
    }
    await endProcess(sleeper.pid);
    expect(startTimeOf(sleeper.pid)).toBeUndefined();
    expect(await sleeper.exited).toMatchObject({ signal: 'SIGTERM' });
  });

  it('is followed by SIGKILL when the process is deaf', async () => {
    sleeper = await startProcess({
      command: 'sh',
      args: ['-c', "trap '' TERM; echo up; while :; do sleep 0.05; done"],
      logFile: join(directory, 'log'),
    });
    await sleeper.waitForLine(/up/, { timeoutMs: 5_000 });
    await endProcess(sleeper.pid, { graceMs: 50 });
    expect(await sleeper.exited).toMatchObject({ signal: 'SIGKILL' });
  });
});

describe('a private containerd', () => {
  it('is configured without CRI and with its own places', () => {
    const text = containerdConfig({ address: '/a/c.sock', root: '/r', state: '/s "quoted"', logFile: '/l' });
    expect(text).toContain('address = "/a/c.sock"');
    expect(text).toContain('state = "/s \\"quoted\\""');
    expect(text).toContain('"io.containerd.grpc.v1.cri"');
  });

  it('finds its mounts, the deepest first, and no others', () => {
    const line = (path: string) => `36 35 98:0 / ${path} rw,noatime - ext3 /dev/root rw`;
    const table = ['/', '/run/c', '/run/c/a', '/run/c/a/with\\040blank', '/run/cold'].map(line).join('\n');
    expect(mountsBelow('/run/c', table)).toEqual(['/run/c/a/with blank', '/run/c/a', '/run/c']);
  });
});
