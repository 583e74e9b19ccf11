import type { BenchmarkOptions } from '../options.ts';
import type { BenchmarkReport, Table } from '../report.ts';
import { shown } from '../report.ts';
import { median, quantile } from '../statistics.ts';
import { type System, startSystem, watchLoad } from '../system/index.ts';
import { runBurst, untilNothingIsLeft } from './burst.ts';
import { type ContainerdEvents, watchContainerd } from './containerd-events.ts';
import { type ContainerdFloor, openContainerdFloor } from './containerd-floor.ts';
import { createDeployment, type Deployment } from './deployment.ts';
import { measureHops } from './hops.ts';
import { openSnapshotProbe, type SnapshotProbe } from './snapshot-probe.ts';

/** Not counted: programs are loaded, code is compiled, connections are opened. */
const WARM_UP_RUNS = 5;
const HOP_RUNS = 20;
const BURST_BUDGET_S = 6;
const UNDEPLOY_BUDGET_MS = 200;
const DEPLOY_BUDGET_RATIO = 1.7;

interface Samples {
  readonly deployMs: number[];
  readonly undeployMs: number[];
  readonly floorMs: number[];
}

/** POST of an instance until RUNNING at the root, beside `ctr run -d`, in alternation; a burst; undeploying. */
export async function measureDeploy(options: BenchmarkOptions): Promise<BenchmarkReport> {
  const load = watchLoad();
  const system = await startSystem();
  try {
    const { containerd, containerdNamespace: namespace } = system;
    const events = await watchContainerd(containerd, namespace);
    const probe = openSnapshotProbe({ address: containerd.address, namespace });
    try {
      return await measure({ system, events, probe, options, load });
    } finally {
      probe.close();
      events.stop();
    }
  } finally {
    await system.close();
  }
}

async function measure({
  system,
  events,
  probe,
  options,
  load,
}: {
  readonly system: System;
  readonly events: ContainerdEvents;
  readonly probe: SnapshotProbe;
  readonly options: BenchmarkOptions;
  readonly load: ReturnType<typeof watchLoad>;
}): Promise<BenchmarkReport> {
  const { api, image } = system;
  const one = { name: 'single', code: image.reference, memory: 32, vcpus: 1 };
  const many = { name: 'burst', code: image.reference, memory: 16, vcpus: 1 };
  const serviceId = await api.createService(one);
  const burstId = await api.createService(many);
  const deployment = createDeployment({
    system,
    events,
    probe,
    serviceId,
    jobName: 'single.bench.single.bench',
  });
  const floor = await openContainerdFloor(system);

  await alternate({ runs: WARM_UP_RUNS, deployment, floor });
  const { deployMs, undeployMs, floorMs } = await alternate({ runs: options.runs, deployment, floor });
  await untilNothingIsLeft(system);
  const burstFloorMs = await floor.runMany(options.burst);
  const burst = await runBurst(system, burstId, options.burst);
  const circumstances = load.finish();
  const hops = await measureHops({ system, deployment, runs: Math.min(HOP_RUNS, options.runs) });

  const floorMedian = median(floorMs);
  const reference = { name: 'ctr run -d, median', value: floorMedian };
  return {
    name: 'deploy',
    conditions: {
      ...circumstances,
      runs: `${options.runs}, alternating with ctr run -d, after ${WARM_UP_RUNS} that do not count`,
      image: 'static web server, two layers, present',
    },
    figures: [
      {
        name: 'deploy_p50_ms',
        unit: 'ms',
        value: median(deployMs),
        reference,
        budget: floorMedian * DEPLOY_BUDGET_RATIO,
      },
      { name: 'deploy_p99_ms', unit: 'ms', value: quantile(deployMs, 0.99), reference },
      {
        name: 'burst_100_s',
        unit: 's',
        // A smaller burst, for a quick look, is extrapolated.
        value: (burst.seconds / options.burst) * 100,
        reference: { name: '100 times ctr run -d, four at a time', value: burstFloorMs / 10 / options.burst },
        budget: BURST_BUDGET_S,
      },
      {
        name: 'undeploy_p50_ms',
        unit: 'ms',
        value: median(undeployMs),
        reference: { name: 'budget', value: UNDEPLOY_BUDGET_MS },
        budget: UNDEPLOY_BUDGET_MS,
      },
    ],
    details: [spread({ deployMs, undeployMs, floorMs }), hops, burstTable(options.burst, burst)],
  };
}

async function alternate(parts: {
  readonly runs: number;
  readonly deployment: Deployment;
  readonly floor: ContainerdFloor;
}): Promise<Samples> {
  const samples: Samples = { deployMs: [], undeployMs: [], floorMs: [] };
  for (let run = 0; run < parts.runs; run += 1) {
    samples.floorMs.push(await parts.floor.run());
    samples.deployMs.push(await parts.deployment.deploy());
    samples.undeployMs.push(await parts.deployment.undeploy());
  }
  return samples;
}

function spread({ deployMs, undeployMs, floorMs }: Samples): Table {
  const row = (name: string, values: readonly number[]): string[] => [
    name,
    ...[0, 0.25, 0.5, 0.75, 0.99, 1].map((share) => shown(quantile(values, share))),
  ];
  return {
    title: 'Spread, ms',
    rows: [
      ['', 'least', '25 %', 'median', '75 %', '99 %', 'most'],
      row('ctr run -d', floorMs),
      row('POST until RUNNING', deployMs),
      row('DELETE until nothing is left', undeployMs),
    ],
  };
}

function burstTable(
  count: number,
  { seconds, undeploySeconds }: Awaited<ReturnType<typeof runBurst>>,
): Table {
  return {
    title: `${count} instances at once`,
    rows: [
      ['until all run', `${shown(seconds)} s`],
      ['until all are gone again', `${shown(undeploySeconds)} s`],
    ],
  };
}
