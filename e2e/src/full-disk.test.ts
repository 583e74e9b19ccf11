import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildStaticWebImage,
  eventually,
  openTestbed,
  runCommand,
  type Testbed,
  WEB_PORT,
} from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Deployed,
  httpFrom,
  type Installation,
  openInstallation,
  type RunningTask,
  slaOf,
} from './installation/index.ts';

const DISK_MIB = 24;
/** More than a database that has just been compacted has room for. */
const LONG_TEXT = 'long '.repeat(60_000);

describe('a full disk', () => {
  let testbed: Testbed;
  let at: Installation;
  let image: string;
  let healthy: Deployed;
  let healthyTask: RunningTask;
  const disks: Record<'root' | 'cluster' | 'worker1', string> = { root: '', cluster: '', worker1: '' };

  beforeAll(async () => {
    testbed = await openTestbed();
    for (const name of ['root', 'cluster', 'worker1'] as const) {
      const path = join(testbed.directory, `disk-of-${name}`);
      await mkdir(path);
      await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', path]);
      testbed.defer(`disk of ${name}`, () => runCommand('umount', ['--lazy', path]));
      disks[name] = path;
    }
    at = await openInstallation({ testbed, stateDirectories: disks });
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
    healthy = await at.run({ name: 'healthy', image, fields: { port: `8080:${WEB_PORT}` } });
    healthyTask = await at.worker.runningTask(healthy.instanceId);
    await eventually(healthyAnswers, { timeoutMs: 20_000, describe: 'the healthy instance to answer' });
  });
  afterAll(() => testbed?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await testbed.logs());
    for (const path of Object.values(disks)) empty(path);
    await at.startAll();
    await at.untilConnected();
    await at.removeEverything({ but: [healthy] });
    expect(await at.worker.runningTasks()).toEqual([healthyTask]);
  });

  const healthyAnswers = async () =>
    (await httpFrom(at.client, `http://${at.worker.host.address}:8080/`)).status;
  const expectHealthy = async () => {
    expect(await healthyAnswers()).toBe(200);
    expect((await at.instance(healthy))?.status).toBe('RUNNING');
    expect(await at.worker.runningTasks()).toContainEqual(healthyTask);
  };

  it('at the root refuses what cannot be kept, says why, and keeps answering', async () => {
    const sla = slaOf({ name: 'long', image, fields: { description: LONG_TEXT } });
    const token = await at.api.login();
    fill(disks.root);
    const refused = await at.api.request('POST', '/api/application', { body: sla, token });
    expect(refused.status).toBe(507);
    expect(JSON.stringify(refused.body)).toMatch(/No space left.*Free space/);
    await expectHealthy();
    expect(at.root.isRunning()).toBe(true);
    empty(disks.root);
    await at.run({ name: 'long', image, fields: { description: LONG_TEXT } });
  });

  it('at the cluster delays what is new, is said in its log, and hurts nothing that runs', async () => {
    fill(disks.cluster);
    const delayed = await at.deploy({ name: 'delayed', image, fields: { description: LONG_TEXT } });
    await eventually(async () => /disk.*full/i.test(await at.cluster.output()), {
      timeoutMs: 30_000,
      describe: 'the cluster to say that its disk is full',
    });
    await expectHealthy();
    expect(at.cluster.isRunning()).toBe(true);
    expect(await at.running(delayed.instanceId)).toEqual([]);
    empty(disks.cluster);
    await at.untilExactlyOne(delayed);
  });

  it('at a worker ends its process with a message, not its instances; it starts again when there is room', async () => {
    fill(disks.worker1);
    const delayed = await at.deploy({ name: 'delayed', image, fields: { description: LONG_TEXT } });
    const { process } = at.worker;
    await eventually(() => !process.isRunning(), { timeoutMs: 30_000, describe: 'the worker to end' });
    expect(await process.output()).toMatch(/disk.*full/i);
    expect(await healthyAnswers()).toBe(200);
    expect(await at.worker.runningTasks()).toEqual([healthyTask]);
    const again = await process.launch();
    const exit = await again.waitForExit({ timeoutMs: 30_000 });
    expect(exit.code).toBe(1);
    expect(await process.output()).toMatch(/disk.*full|no space/i);
    empty(disks.worker1);
    await process.start();
    await at.untilConnected();
    await at.untilExactlyOne(delayed);
  });
});

const ballastOf = (disk: string): string => join(disk, 'ballast');

/** Leaves no page free. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballastOf(disk), Buffer.alloc(bavail * bsize));
}

function empty(disk: string): void {
  rmSync(ballastOf(disk), { force: true });
}
