import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freeze, killNow, thaw } from '../faults/index.ts';
import { runCommand } from './command.ts';
import { collectLogs, keepLogs } from './logs.ts';
import { type ManagedProcess, startProcess } from './managed-process.ts';
import { freePorts } from './ports.ts';

describe('programs under test', () => {
  let directory: string;
  const started: ManagedProcess[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'oakestra-processes-'));
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((process) => process.stop({ graceMs: 0 })));
    await rm(directory, { recursive: true, force: true });
  });
  const shell = async (script: string) => {
    const process = await startProcess({
      name: 'script',
      command: 'sh',
      args: ['-c', script],
      logFile: join(directory, 'logs', 'script.log'),
    });
    started.push(process);
    return process;
  };

  it('are waited for by line, and their output is kept', async () => {
    const first = await shell('echo early; echo "ready on 5"; exec sleep 100');
    expect(await first.waitForLine(/ready on \d/, { timeoutMs: 5_000 })).toBe('ready on 5');
    await first.stop();
    const second = await shell('echo "again"; exec sleep 100');
    await second.waitForLine(/again/, { timeoutMs: 5_000 });
    expect(await second.output()).toBe('again\n');
    expect(await collectLogs([second])).toMatch(/--- script .*\nearly\nready on 5\nagain\n/);
    const [copy] = await keepLogs([second], join(directory, 'kept'));
    expect((await runCommand('cat', [copy as string])).stdout).toContain('again');
  });

  it('that end before their line say what they wrote', async () => {
    const process = await shell('echo no luck >&2; exit 3');
    const failure = await process.waitForLine(/ready/, { timeoutMs: 5_000 }).catch((error) => error);
    expect(failure.message).toContain('script ended (exit code 3) before it wrote /ready/');
    expect(failure.message).toContain('no luck');
    expect(await process.waitForExit({ timeoutMs: 100 })).toEqual({ code: 3, signal: null });
  });

  it('are stopped also when they are frozen or deaf', async () => {
    const frozen = await shell('echo up; exec sleep 100');
    await frozen.waitForLine(/up/, { timeoutMs: 5_000 });
    await freeze(frozen);
    expect(await frozen.stop({ graceMs: 5_000 })).toEqual({ code: null, signal: 'SIGTERM' });
    const deaf = await shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    await deaf.waitForLine(/up/, { timeoutMs: 5_000 });
    expect(await deaf.stop({ graceMs: 50 })).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await deaf.stop()).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('stand still while frozen, and are gone when killed', async () => {
    const process = await shell('while :; do echo tick; sleep 0.01; done');
    await process.waitForLine(/tick/, { timeoutMs: 5_000 });
    await freeze(process);
    const length = (await process.output()).length;
    await new Promise((later) => setTimeout(later, 100));
    expect((await process.output()).length).toBe(length);
    await thaw(process);
    await killNow(process);
    expect(await process.waitForExit({ timeoutMs: 1_000 })).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(killNow({ pid: process.pid })).rejects.toMatchObject({ code: 'process-gone' });
  });

  it('that cannot be started are named', async () => {
    await expect(
      startProcess({ name: 'ghost', command: '/no/such/program', logFile: join(directory, 'ghost.log') }),
    ).rejects.toThrow(/ghost: .*ENOENT/);
    await expect(runCommand('/no/such/program', [])).rejects.toThrow(/ENOENT/);
    await expect(runCommand('sh', ['-c', 'echo why >&2; exit 4'])).rejects.toThrow('exit code 4. why');
    await expect(runCommand('sleep', ['10'], { timeoutMs: 20 })).rejects.toThrow('did not end within 20 ms');
    expect(await runCommand('cat', [], { input: 'text' })).toMatchObject({ stdout: 'text' });
  });

  it('get ports that differ', async () => {
    expect(new Set(await freePorts(20)).size).toBe(20);
  });
});
