import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lockStateDirectory } from './pid-lock.ts';

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'oak-lock-')), 'state');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(join(directory, '..'), { recursive: true, force: true });
});
const withoutFlock = () => vi.stubEnv('PATH', '/does/not/exist');
const noted = () => JSON.parse(readFileSync(join(directory, 'lock'), 'utf8')) as Record<string, unknown>;

describe.each([
  ['held by the kernel', () => {}],
  ['by the noted process alone', withoutFlock],
])('lockStateDirectory, %s', (_, prepare) => {
  beforeEach(() => prepare());

  it('lets one in, names it to the next, and lets that in afterwards', async () => {
    const lock = await lockStateDirectory(directory);
    expect(noted().pid).toBe(process.pid);
    expect((statSync(directory).mode & 0o777).toString(8)).toBe('700');
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({
      code: 'state-directory-in-use',
      holderPid: process.pid,
      message: `${directory} is in use by process ${process.pid}; stop it first, or choose another state directory`,
    });
    expect(noted().pid).toBe(process.pid);
    await lock.release();
    await lock.release();
    await (await lockStateDirectory(directory)).release();
  });

  it.each([
    ['a process that is gone', { pid: 2 ** 22 + 1 }],
    ['another process with the same number', { startTicks: '1' }],
    ['a process before the last reboot', { bootId: 'other' }],
  ])('takes over from %s', async (_name, change) => {
    const lock = await lockStateDirectory(directory);
    const own = noted();
    await lock.release();
    writeFileSync(join(directory, 'lock'), JSON.stringify({ ...own, ...change }));
    const taken = await lockStateDirectory(directory);
    expect(noted()).toEqual(own);
    await taken.release();
  });

  it('takes over from a file that was cut off', async () => {
    const lock = await lockStateDirectory(directory);
    await lock.release();
    writeFileSync(join(directory, 'lock'), '{"pid":');
    await (await lockStateDirectory(directory)).release();
  });
});

describe('lockStateDirectory, held by the kernel', () => {
  it('lets one of many in who come together', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockStateDirectory(directory)));
    const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(winners).toHaveLength(1);
    await winners[0]?.release();
  });

  it('refuses while a process holds it that left no name, and ends with that process', async () => {
    await (await lockStateDirectory(directory)).release();
    const holder = spawn('flock', [join(directory, 'lock'), '-c', 'echo held; exec sleep 60'], {
      detached: true,
    });
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      await expect(lockStateDirectory(directory)).rejects.toMatchObject({
        holderPid: undefined,
        message: expect.stringContaining('another process'),
      });
    } finally {
      const ended = new Promise((resolve) => holder.once('close', resolve));
      // The whole group: the shell inherited the lock.
      process.kill(-Number(holder.pid), 'SIGKILL');
      await ended;
    }
    await (await lockStateDirectory(directory)).release();
    expect(existsSync(join(directory, 'lock'))).toBe(true);
  });
});
