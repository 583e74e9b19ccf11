import { appendFileSync, existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../processes/index.ts';
import { openTestbed, type Testbed } from '../testbed.ts';
import { freezeCgroup, thawCgroup } from './signals.ts';

/** The freezer of version 1 where there is one, else the unified hierarchy. */
const hierarchy = existsSync('/sys/fs/cgroup/freezer') ? '/sys/fs/cgroup/freezer' : '/sys/fs/cgroup';

describe('a frozen cgroup', () => {
  let testbed: Testbed;
  afterEach(() => testbed.close());

  it('stands still as a whole and goes on when thawed', async () => {
    testbed = await openTestbed();
    const group = `${hierarchy}/testbed-freezer-${process.pid}`;
    mkdirSync(group);
    testbed.defer('cgroup', () =>
      // The last child of the loop may still be ending.
      eventually(() => rmdirSync(group) ?? true, { timeoutMs: 5_000, describe: `${group} to be empty` }),
    );
    const ticker = await testbed.process({
      name: 'ticker',
      command: 'sh',
      args: ['-c', 'while :; do echo tick; sleep 0.01; done'],
    });
    appendFileSync(`${group}/cgroup.procs`, String(ticker.pid));
    await ticker.waitForLine(/tick/, { timeoutMs: 5_000 });
    await freezeCgroup(group);
    const before = (await ticker.output()).length;
    await new Promise((later) => setTimeout(later, 150));
    expect((await ticker.output()).length).toBe(before);
    await thawCgroup(group);
    await expect.poll(async () => (await ticker.output()).length).toBeGreaterThan(before);
  });
});
