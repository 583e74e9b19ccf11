import { buildStaticWebImage, eventually, WEB_PORT } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Deployed,
  httpFrom,
  type Installation,
  openInstallation,
  type Placed,
  type WorkerNode,
} from './installation/index.ts';

/** By default silence is noticed within 4 s; the rest is for the busy machine. */
const REPLACED_MS = 20_000;
/** A worker that is gone without a word for so long has been replaced. */
const UNANNOUNCED_GRACE_MS = 3_000;

describe('a part that is out of reach', () => {
  let at: Installation;
  let image: string;

  beforeAll(async () => {
    at = await openInstallation({ workers: 2 });
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.network.heal();
    for (const { process } of at.workers) if (process.isRunning()) await process.thaw();
    await at.startAll();
    await at.untilConnected();
    await at.removeEverything();
  });

  const runWeb = (name: string, fields = {}) =>
    at.run({ name, image, fields: { port: `8080:${WEB_PORT}`, ...fields } });
  const otherThan = (node: WorkerNode): WorkerNode => {
    const other = at.workers.find((one) => one !== node);
    if (other === undefined) throw new Error('there are two workers');
    return other;
  };
  const untilReplaced = async (deployed: Deployed, node: WorkerNode): Promise<Placed> => {
    const placed = await eventually(
      async () => (await at.running(deployed.instanceId)).find((one) => one.node === node),
      { timeoutMs: REPLACED_MS, describe: `${deployed.instanceId} to run on ${node.name}` },
    );
    const isThere = ({ status, host_ip: address }: { status: string; host_ip: string | null }) =>
      status === 'RUNNING' && address === node.host.address;
    await at.untilInstance(deployed, `RUNNING on ${node.name}`, isThere);
    await eventually(
      async () => (await httpFrom(at.client, `http://${node.host.address}:8080/`)).status === 200,
      { timeoutMs: 20_000, describe: `the replacement to answer on ${node.name}` },
    );
    return placed;
  };

  it('and frozen, as a worker is, is replaced within seconds; when it goes on, one instance is left', async () => {
    const web = await runWeb('web');
    const patient = await at.run({ name: 'patient', image, fields: { on_disconnect: 'wait' } });
    const before = await at.untilExactlyOne(web);
    const patientBefore = await at.untilExactlyOne(patient);
    expect(patientBefore.node).toBe(before.node);
    const other = otherThan(before.node);

    await before.node.process.freeze();
    const startMs = performance.now();
    const replacement = await untilReplaced(web, other);
    console.log(`replaced after ${Math.round(performance.now() - startMs)} ms`);
    expect(await at.running(patient.instanceId)).toEqual([patientBefore]);

    await before.node.process.thaw();
    await at.untilConnected();
    expect(await at.untilExactlyOne(web)).toEqual(replacement);
    expect(await at.untilExactlyOne(patient)).toEqual(patientBefore);
    await before.node.untilNothingOf(web.instanceId);
  });

  it('as a worker behind a cut wire is replaced, and yields when the wire is whole again', async () => {
    const web = await runWeb('web');
    const before = await at.untilExactlyOne(web);
    await at.network.block(at.cluster.host, before.node.host);
    const replacement = await untilReplaced(web, otherThan(before.node));
    // Nobody could tell it to stop.
    expect(await before.node.runningTask(web.instanceId)).toEqual(before.task);
    await at.network.unblock(at.cluster.host, before.node.host);
    await at.untilConnected();
    expect(await at.untilExactlyOne(web)).toEqual(replacement);
    await before.node.untilNothingOf(web.instanceId);
  });

  it('because its process died is replaced, and its container ends when the worker is back', async () => {
    const web = await runWeb('web');
    const before = await at.untilExactlyOne(web);
    await before.node.process.kill();
    const replacement = await untilReplaced(web, otherThan(before.node));
    expect(await before.node.runningTask(web.instanceId)).toEqual(before.task);
    await before.node.process.start();
    expect(await at.untilExactlyOne(web)).toEqual(replacement);
    await before.node.untilNothingOf(web.instanceId);
  });

  it('as a worker that was stopped in order keeps its instances', async () => {
    const web = await runWeb('web');
    const before = await at.untilExactlyOne(web);
    const { node } = before;
    await node.process.stop();
    const startMs = performance.now();
    while (performance.now() - startMs < UNANNOUNCED_GRACE_MS) {
      const probe = await at.run({ name: 'probe', image });
      expect((await at.untilExactlyOne(probe)).node).not.toBe(node);
      await at.remove(probe);
    }
    expect(await at.running(web.instanceId)).toEqual([before]);
    await node.process.start();
    await at.untilConnected();
    expect(await at.untilExactlyOne(web)).toEqual(before);
  });

  it('as the root is for its cluster moves nothing; what was asked for meanwhile happens afterwards', async () => {
    const kept = await runWeb('kept');
    const dropped = await at.run({ name: 'dropped', image });
    const before = await at.untilExactlyOne(kept);
    await at.network.block(at.root.host, at.cluster.host);
    await eventually(async () => (await at.api.call<unknown[]>('GET', '/api/clusters/active')).length === 0, {
      timeoutMs: 60_000,
      describe: 'the root to notice that its cluster is away',
    });
    const asked = await at.deploy({ name: 'asked', image });
    await at.api.undeploy(dropped.serviceId, 0);
    const { status } = await httpFrom(at.client, `http://${before.node.host.address}:8080/`);
    expect(status).toBe(200);
    expect(await at.running(asked.instanceId)).toEqual([]);
    expect(await at.running(dropped.instanceId)).toHaveLength(1);

    await at.network.unblock(at.root.host, at.cluster.host);
    await at.untilExactlyOne(asked);
    await at.untilGone(dropped.instanceId);
    expect(await at.untilExactlyOne(kept)).toEqual(before);
  });
});
