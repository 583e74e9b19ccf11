import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { shimsOf } from '../../scripts/setup/containerd-remains.mjs';
import { eventually, runCommand } from './processes/index.ts';
import { sweep } from './sweep.ts';
import { openTestbed, type Testbed } from './testbed.ts';

describe('a testbed', () => {
  let testbed: Testbed | undefined;
  afterEach(() => testbed?.close());

  it('takes everything away in reverse order, and goes on when a step fails', async () => {
    const done: string[] = [];
    const own = await openTestbed();
    const process = await own.process({ name: 'sleeper', command: 'sleep', args: ['1000'] });
    own.defer('first', () => done.push(`first, process is ${process.isRunning() ? 'there' : 'gone'}`));
    own.defer('broken', () => {
      throw new Error('cannot be removed');
    });
    own.defer('last', () => done.push('last'));
    await expect(own.close()).rejects.toThrow('broken: cannot be removed');
    expect(done).toEqual(['last', 'first, process is there']);
    expect(process.isRunning()).toBe(false);
    expect(existsSync(own.directory)).toBe(false);
    await own.close();
  });

  it('is swept by the next run when it was killed with a container running', async () => {
    testbed = await openTestbed();
    const script = `
      import { openTestbed, buildStaticWebImage } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const testbed = await openTestbed();
      const containerd = await testbed.containerd();
      const registry = await testbed.registry();
      const { reference } = await registry.push(await buildStaticWebImage(testbed.directory + '/cache'), 'web');
      await containerd.ctr('swept', ['images', 'pull', '--plain-http', reference]);
      await containerd.ctr('swept', ['run', '--detach', reference, 'swept-' + process.pid]);
      console.log('made', testbed.directory, containerd.address, containerd.pid(), registry.pid());
      setInterval(() => {}, 1000);
    `;
    const run = await testbed.process({
      name: 'run',
      command: process.execPath,
      args: ['--import', 'tsx', '--input-type=module', '--eval', script],
    });
    const line = await run.waitForLine(/^made/, { timeoutMs: 60_000 });
    const [, directory, address, ...pids] = line.split(' ') as [string, string, string, ...string[]];
    // While it lives, nobody touches it.
    await sweep();
    expect(shimsOf(address)).toHaveLength(1);
    run.signal('SIGKILL');
    await run.waitForExit({ timeoutMs: 5_000 });
    expect(shimsOf(address)).toHaveLength(1);
    const swept = await sweep();
    expect(swept.directories).toContain(directory);
    expect(shimsOf(address)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
    expect((await runCommand('cat', ['/proc/self/mountinfo'])).stdout).not.toContain(directory);
    expect(existsSync(`/run/containerd/runc/swept/swept-${run.pid}`)).toBe(false);
    await eventually(() => pids.every((pid) => !isRunning(Number(pid))), {
      timeoutMs: 5_000,
      describe: 'the daemons of the killed run to be gone',
    });
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
