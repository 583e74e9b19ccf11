import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removePidFile, runningProcess, writePidFile } from './pid-file.ts';
import { stopUp } from './stop-up.ts';

let directory: string;
let pidFile: string;
const children: ReturnType<typeof spawn>[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-pid-'));
  pidFile = join(directory, 'oakestra.pid');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function startChild(script = 'setInterval(() => {}, 1000); console.log("up")'): Promise<number> {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout ?? child, 'data');
  return child.pid as number;
}

describe('the pid file', () => {
  it('names a running process', () => {
    writePidFile(pidFile);
    expect(runningProcess(pidFile)?.pid).toBe(process.pid);
  });

  it.each([
    ['another start time', (text: string) => text.replace(/ (\d+) /, ' 1 ')],
    ['another boot', (text: string) => text.replace(/ \S+\n$/, ' 00000000-0000-0000-0000-000000000000\n')],
    ['no process of this id', (text: string) => text.replace(/^\d+/, '4194304')],
    ['an id that means a group', (text: string) => text.replace(/^/, '-')],
    ['nonsense', () => 'x y z'],
  ])('names nobody with %s', (_what, change) => {
    writePidFile(pidFile);
    writeFileSync(pidFile, change(readFileSync(pidFile, 'utf8')));
    expect(runningProcess(pidFile)).toBeUndefined();
  });

  it('is not removed by somebody whom it does not name', async () => {
    const pid = await startChild();
    writePidFile(pidFile, pid);
    removePidFile(pidFile);
    expect(runningProcess(pidFile)?.pid).toBe(pid);
  });
});

describe('stopping what a pid file names', () => {
  const stop = (force: boolean, timeoutMs = 5000) =>
    stopUp({ pidFile, clock: systemClock(), timeoutMs, force });

  it('does nothing when nothing runs', async () => {
    expect(await stop(false)).toEqual({ kind: 'not-running', pid: undefined });
  });

  it('stops it with SIGTERM and waits for its end', async () => {
    const pid = await startChild();
    writePidFile(pidFile, pid);
    expect(await stop(false)).toEqual({ kind: 'stopped', pid });
    expect(existsSync(`/proc/${pid}/exe`)).toBe(false);
  });

  it('gives up on one that does not stop, and kills it only when told to', async () => {
    const pid = await startChild(
      'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")',
    );
    writePidFile(pidFile, pid);
    expect(await stop(false, 200)).toEqual({ kind: 'still-running', pid });
    expect(await stop(true, 200)).toEqual({ kind: 'killed', pid });
  });

  it('leaves a process alone that got the id of an earlier one', async () => {
    const pid = await startChild();
    writePidFile(pidFile, pid);
    writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(/ (\d+) /, ' 1 '));
    expect((await stop(true)).kind).toBe('not-running');
    expect(existsSync(`/proc/${pid}/exe`)).toBe(true);
  });
});
