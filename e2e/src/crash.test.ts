import { type Random, seededRandom } from '@oakestra/daemon';
import { buildStaticWebImage, eventually, WEB_PORT } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Deployed, httpFrom, type Installation, openInstallation } from './installation/index.ts';

const TIERS = ['root', 'cluster', 'worker'] as const;
/** Deployments and removals per tier; more find more. */
const ROUNDS = Number(process.env.E2E_ROUNDS ?? 3);
/** A removal, or a deployment of an image that is there, takes a part of it: some kills come after its end. */
const LATEST_KILL_MS = 400;
/** The same with the image to be pulled first. */
const LATEST_KILL_WITH_PULL_MS = 1200;

/** So many ends are by SIGTERM, in the middle of whatever is going on, instead of SIGKILL. */
const STOPPED_SHARE = 0.25;
const STOP_MS = 5_000;

const seed = Number(process.env.E2E_SEED ?? Math.floor(Math.random() * 2 ** 31));

describe('a killed process', () => {
  let at: Installation;
  let image: string;
  let nextName = 0;
  const uniqueName = () => `app${(nextName++).toString(36)}`;

  beforeAll(async () => {
    console.log(`crash test with E2E_SEED=${seed}`);
    at = await openInstallation();
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    await at.removeEverything();
  });

  const runWeb = () => at.run({ name: uniqueName(), image, fields: { port: `8080:${WEB_PORT}` } });
  const answers = async () => {
    const { status } = await httpFrom(at.client, `http://${at.worker.host.address}:8080/`);
    return status === 200;
  };
  const untilAnswers = () =>
    eventually(answers, { timeoutMs: 30_000, describe: 'the published port to answer' });

  it('leaves the containers untouched when it was the worker, which adopts them at its next start', async () => {
    const web = await runWeb();
    await untilAnswers();
    const before = await at.worker.runningTask(web.instanceId);
    await at.worker.process.kill();
    expect(await answers()).toBe(true);
    await at.worker.process.start();
    await at.untilConnected();
    await at.untilExactlyOne(web);
    expect(await at.worker.runningTask(web.instanceId)).toEqual(before);
    expect(await answers()).toBe(true);
    // Whatever was to be started has been started when a later deployment runs.
    const later = await at.run({ name: uniqueName(), image });
    expect(await at.worker.runningTask(web.instanceId)).toEqual(before);
    await at.remove(later);
    await at.remove(web);
  });

  it('is survived when it was containerd: what ran goes on, what ended meanwhile is started again', async () => {
    const steady = await runWeb();
    const fallen = await at.run({ name: uniqueName(), image });
    const before = await at.worker.runningTask(steady.instanceId);
    const fallenBefore = await at.worker.runningTask(fallen.instanceId);
    await at.worker.containerd.kill();
    expect(await answers()).toBe(true);
    process.kill(fallenBefore.pid, 'SIGKILL');
    await at.worker.containerd.start();
    await eventually(async () => (await at.worker.runningTask(fallen.instanceId)).pid !== fallenBefore.pid, {
      timeoutMs: 60_000,
      describe: 'the instance that ended to run again',
    });
    await at.untilExactlyOne(fallen);
    expect(await at.worker.runningTask(steady.instanceId)).toEqual(before);
    await at.run({ name: uniqueName(), image });
  });

  it('is no obstacle when it was the whole machine: instances run again, also without the cluster', async () => {
    const web = await runWeb();
    const before = await at.worker.runningTask(web.instanceId);
    await at.worker.reboot();
    await at.network.isolate(at.worker.host);
    await at.worker.process.start();
    const after = await eventually(() => at.worker.runningTask(web.instanceId), {
      timeoutMs: 30_000,
      describe: 'the instance to run again',
    });
    expect(after.pid).not.toBe(before.pid);
    await eventually(async () => (await httpFrom(at.worker.host, 'http://127.0.0.1:8080/')).status === 200, {
      timeoutMs: 30_000,
      describe: 'its port to answer on the machine itself',
    });
    await at.network.rejoin(at.worker.host);
    await at.untilConnected();
    await at.untilExactlyOne(web);
    expect(await at.worker.runningTask(web.instanceId)).toEqual(after);
  });

  it.each(TIERS)('ends in exactly one running instance when %s ends during a deployment', async (tier) => {
    const random = seededRandom(seed + TIERS.indexOf(tier));
    for (let round = 1; round <= ROUNDS; round++) {
      const isPulled = round % 2 === 1;
      if (isPulled) await at.worker.forgetImages();
      const latestMs = isPulled ? LATEST_KILL_WITH_PULL_MS : LATEST_KILL_MS;
      const [, deployed] = await Promise.all([
        endAndRestart(tier, random, latestMs),
        insistOnDeploying(uniqueName()),
      ]);
      const placed = await at.untilExactlyOne(deployed);
      expect(await at.worker.containerIds()).toEqual([deployed.instanceId]);
      expect((await at.api.service(deployed.serviceId)).instance_list).toHaveLength(1);
      // The same one is still there when all have talked again.
      await at.untilConnected();
      expect((await at.untilExactlyOne(deployed)).task).toEqual(placed.task);
      await at.removeEverything();
    }
  });

  it.each(TIERS)('leaves nothing behind when %s ends during a removal', async (tier) => {
    const random = seededRandom(seed + 10 + TIERS.indexOf(tier));
    for (let round = 1; round <= ROUNDS; round++) {
      const deployed = await runWeb();
      await Promise.all([endAndRestart(tier, random, LATEST_KILL_MS), insistOnRemoving(deployed)]);
      await at.untilNothingIsLeft();
    }
  });

  it.each(TIERS)(
    'is not needed: %s stops within 5 s when it is asked to, and nothing moves',
    async (tier) => {
      const web = await runWeb();
      const before = await at.worker.runningTask(web.instanceId);
      const exit = await at.tiers[tier].stop();
      expect(exit).toMatchObject({ code: 0, signal: null });
      expect(exit.tookMs).toBeLessThan(STOP_MS);
      await untilAnswers();
      await at.tiers[tier].start();
      await at.untilConnected();
      await at.run({ name: uniqueName(), image });
      expect((await at.untilExactlyOne(web)).task).toEqual(before);
    },
  );

  async function endAndRestart(
    tier: (typeof TIERS)[number],
    random: Random,
    latestMs: number,
  ): Promise<void> {
    const delayMs = Math.floor(random.fraction() * latestMs);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const isAsked = random.fraction() < STOPPED_SHARE;
    if (isAsked) {
      const exit = await at.tiers[tier].stop();
      expect(exit).toMatchObject({ code: 0, signal: null });
      expect(exit.tookMs).toBeLessThan(STOP_MS);
    } else await at.tiers[tier].kill();
    await at.tiers[tier].start();
  }

  /** As a user does who gets no answer: looks what came of it, and asks again if nothing did. */
  async function insistOnDeploying(name: string): Promise<Deployed> {
    const again = <T>(attempt: () => Promise<T>) =>
      eventually(attempt, { timeoutMs: 60_000, describe: `${name} to be asked for`, intervalMs: 100 });
    const application = await again(async () => {
      const own = await at.api.applications();
      return own.find((one) => one.application_name === name) ?? (await at.submit({ name, image }));
    });
    const [serviceId = ''] = application.microservices;
    await again(async () => {
      const { instance_list: instances } = await at.api.service(serviceId);
      if (instances.length === 0) await at.api.deploy(serviceId);
      return true;
    });
    return at.deployed(application);
  }

  async function insistOnRemoving({ applicationId }: Deployed): Promise<void> {
    await eventually(
      async () => {
        const own = await at.api.applications();
        if (!own.some((one) => one.applicationID === applicationId)) return true;
        await at.api.call('DELETE', `/api/application/${applicationId}`);
        return true;
      },
      { timeoutMs: 60_000, describe: 'the removal to be taken in', intervalMs: 100 },
    );
  }
});
