import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureContainerd, stopPrivateContainerd } from '../../../scripts/setup/index.mjs';
import { runningPid } from '../../../scripts/setup/process-identity.mjs';
import { eventually, runCommand } from '../processes/index.ts';
import { openTestbed, type Testbed } from '../testbed.ts';

describe('ensureContainerd', () => {
  let directory: string;
  let testbed: Testbed;
  const said: string[] = [];
  const report = { step: (text: string) => said.push(text), detail: () => {}, warn: () => {} };
  const place = () => ({
    address: join(directory, 'c.sock'),
    root: join(directory, 'root'),
    state: join(directory, 'state'),
    logFile: join(directory, 'log', 'containerd.log'),
  });
  const pid = () => runningPid(join(directory, 'state', 'containerd.pid'));

  beforeEach(async () => {
    testbed = await openTestbed();
    directory = mkdtempSync(join(tmpdir(), 'oakestra-setup-'));
    said.length = 0;
  });
  afterEach(async () => {
    await stopPrivateContainerd({ purge: true, place: place() });
    await testbed.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('starts one of its own once, in a session of its own, and finds it again', async () => {
    const nowhere = join(directory, 'nowhere.sock');
    const first = await ensureContainerd({ systemAddress: nowhere, place: place(), report });
    expect(first).toEqual({ address: place().address, isPrivate: true, logFile: place().logFile });
    expect(said.join()).toContain(place().address);
    const started = pid();
    expect((await runCommand('ps', ['-o', 'sid=', '-p', String(started)])).stdout.trim()).toBe(
      String(started),
    );
    expect(await ensureContainerd({ systemAddress: nowhere, place: place(), report })).toEqual(first);
    expect(pid()).toBe(started);
    expect(said).toHaveLength(1);
    // Stopped, it keeps what it has, and it is preferred to the system's from then on.
    await stopPrivateContainerd({ place: place() });
    expect(pid()).toBeUndefined();
    const system = await testbed.containerd();
    expect(await ensureContainerd({ systemAddress: system.address, place: place(), report })).toEqual(first);
    await stopPrivateContainerd({ purge: true, place: place() });
    for (const path of Object.values(place())) expect(existsSync(path)).toBe(false);
  });

  it('uses the one of the system when it answers', async () => {
    const system = await testbed.containerd();
    expect(await ensureContainerd({ systemAddress: system.address, place: place(), report })).toEqual({
      address: system.address,
      isPrivate: false,
      logFile: undefined,
    });
    expect(said).toEqual([]);
    expect(existsSync(place().root)).toBe(false);
  });

  it('comes back after a kill', async () => {
    const nowhere = join(directory, 'nowhere.sock');
    await ensureContainerd({ systemAddress: nowhere, place: place(), report });
    const killed = pid() as number;
    process.kill(killed, 'SIGKILL');
    await eventually(() => pid() === undefined, { timeoutMs: 5_000, describe: 'the containerd to be gone' });
    await ensureContainerd({ systemAddress: nowhere, place: place(), report });
    expect(pid()).not.toBe(killed);
    expect(pid()).toBeDefined();
  });
});
