import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Deployed,
  type Installation,
  openInstallation,
  type RunningTask,
  type TierProcess,
} from './installation/index.ts';

describe('a store that was lost or restored', () => {
  let at: Installation;
  let image: string;

  beforeAll(async () => {
    at = await openInstallation();
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    await at.removeEverything();
  });

  const tasksOf = (deployed: readonly Deployed[]): Promise<RunningTask[]> =>
    Promise.all(deployed.map(({ instanceId }) => at.worker.runningTask(instanceId)));

  /** Waits until the root shows all of them as running, and proves that their processes are the ones of before. */
  const expectUntouched = async (deployed: readonly Deployed[], before: readonly RunningTask[]) => {
    for (const one of deployed) await at.untilExactlyOne(one);
    // Whatever would have been stopped or started has been when a later deployment runs.
    const later = await at.run({ name: 'later', image });
    for (const one of deployed) await at.untilExactlyOne(one);
    expect(await tasksOf(deployed)).toEqual(before);
    await at.remove(later);
  };

  it.each(['root', 'cluster'] as const)('of the %s stops nothing when it was lost', async (tier) => {
    const first = await at.run({ name: 'first', image });
    const second = await at.run({ name: 'second', image });
    const before = await tasksOf([first, second]);
    const process = at.tiers[tier];
    await process.kill();
    for (const file of databaseFiles(process)) rmSync(file);
    await process.start();
    await at.untilConnected();
    await eventually(async () => (await at.api.applications()).length === 2, {
      timeoutMs: 60_000,
      describe: 'the administrator to own what runs',
    });
    await expectUntouched([first, second], before);
    await at.remove(first);
    expect(await tasksOf([second])).toEqual(before.slice(1));
  });

  it('of a worker stops nothing when it was lost: the containers say what they are', async () => {
    const first = await at.run({ name: 'first', image, fields: { port: '8080:8080' } });
    const before = await tasksOf([first]);
    await at.worker.process.kill();
    rmSync(join(at.worker.process.stateDirectory, 'journal'), { recursive: true });
    await at.worker.process.start();
    await at.untilConnected();
    await expectUntouched([first], before);
  });

  it.each([
    ['root', 'copied over the present file'],
    ['cluster', 'put in the place of the present file'],
  ] as const)('of the %s deletes nothing when a backup of before is %s', async (tier, how) => {
    const process = at.tiers[tier];
    const kept = await at.run({ name: 'kept', image });
    const dropped = await at.run({ name: 'dropped', image });
    const backup = join(at.testbed.directory, `backup-of-${tier}`);
    await process.stop();
    await mkdir(backup, { recursive: true });
    for (const file of databaseFiles(process)) await copyFile(file, join(backup, nameOf(file)));
    await process.start();
    await at.untilConnected();

    // What the backup does not know.
    await at.remove(dropped);
    await at.api.deploy(kept.serviceId);
    const more = { ...kept, number: 1, instanceId: kept.instanceId.replace(/0$/, '1') };
    await at.untilStatus(more, 'RUNNING');
    const fresh = await at.run({ name: 'fresh', image });
    const before = await tasksOf([kept, more, fresh]);

    await process.kill();
    for (const file of databaseFiles(process)) {
      if (how.startsWith('put') || !existsSync(join(backup, nameOf(file)))) rmSync(file);
    }
    for (const name of readdirSync(backup))
      copyFileSync(join(backup, name), join(process.stateDirectory, name));
    await process.start();
    await at.untilConnected();
    await expectUntouched([kept, more, fresh], before);
    await at.api.undeploy(kept.serviceId, 1);
    await at.untilGone(more.instanceId);
    expect(await tasksOf([kept, fresh])).toEqual([before[0], before[2]]);
  });
});

/** The database with what SQLite keeps beside it; keys, certificates and passwords are other files. */
function databaseFiles({ stateDirectory, role }: TierProcess): string[] {
  return readdirSync(stateDirectory)
    .filter((name) => name.startsWith(`${role}.db`))
    .map((name) => join(stateDirectory, name));
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
