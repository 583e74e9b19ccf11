import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@oakestra/testbed';
import type { BenchmarkOptions } from '../options.ts';
import { type BenchmarkReport, type Figure, shown, type Table } from '../report.ts';
import { type System, startSystem, watchLoad } from '../system/index.ts';
import { type CountingRelay, startCountingRelay, type Traffic } from './counting-relay.ts';
import { engineMib, workerInstallation } from './install-size.ts';
import {
  type ProcessMemory,
  type ProcessRates,
  ratesBetween,
  readCounters,
  readMemory,
} from './process-usage.ts';

const INSTANCES = 20;
const INSTANCES_TIMEOUT_MS = 120_000;
/** Design section 8. */
const BUDGET = {
  workerMib: 65,
  workerCpuPercent: 0.5,
  controlPlaneMib: 130,
  controlPlaneCpuPercent: 1,
  writesBytesPerMin: 60 * 1024,
  trafficBytesPerMin: 10_000,
};

interface Observation {
  readonly worker: ProcessMemory & ProcessRates;
  readonly controlPlane: ProcessMemory & ProcessRates;
  readonly traffic: Traffic;
}

/** What the daemons occupy and use while nothing changes: without instances, and with 20 quiet ones. */
export async function measureFootprint(options: BenchmarkOptions): Promise<BenchmarkReport> {
  const load = watchLoad();
  let relay: CountingRelay | undefined;
  const system = await startSystem({
    async relay(target) {
      relay = await startCountingRelay(target);
      return relay;
    },
  });
  if (relay === undefined) throw new Error('the system was started without the relay');
  try {
    const bare = await startBareNode(system);
    const idle = await observe(system, relay, options);
    const bareMemory = readMemory(bare);
    await runInstances(system);
    const busy = await observe(system, relay, options);
    return {
      name: 'footprint',
      conditions: {
        ...load.finish(),
        settled: `${options.settleSeconds} s`,
        window: `${options.windowSeconds} s`,
        instances: INSTANCES,
      },
      figures: figuresOf(idle, busy, bareMemory),
      details: [
        daemonTable('A worker without instances', idle, bareMemory),
        daemonTable(`A worker with ${INSTANCES} quiet instances`, busy, bareMemory),
        {
          title: 'Installation of a worker, MiB',
          rows: [...workerInstallation()].map(([name, mib]) => [name, shown(mib)]),
        },
      ],
    };
  } finally {
    await system.close();
  }
}

/** The least that a process of this engine occupies. */
async function startBareNode(system: System): Promise<number> {
  const bare = await system.start('bare-node', process.execPath, ['-e', 'setInterval(() => {}, 2 ** 30)']);
  return bare.pid;
}

async function runInstances({ api, image }: System): Promise<void> {
  const serviceId = await api.createService({ name: 'quiet', code: image.reference, memory: 32, vcpus: 1 });
  for (let count = 0; count < INSTANCES; count += 1) await api.deploy(serviceId);
  await eventually(
    async () => {
      const instances = await api.instances(serviceId);
      const running = instances.filter(({ status }) => status === 'RUNNING').length;
      if (running < INSTANCES) throw new Error(`${running} run`);
      return true;
    },
    { timeoutMs: INSTANCES_TIMEOUT_MS, describe: `${INSTANCES} instances to run`, intervalMs: 200 },
  );
}

async function observe(
  system: System,
  relay: CountingRelay,
  { settleSeconds, windowSeconds }: BenchmarkOptions,
): Promise<Observation> {
  const worker = system.worker().pid;
  const controlPlane = system.controlPlane().pid;
  await delay(settleSeconds * 1000);
  const before = { worker: readCounters(worker), controlPlane: readCounters(controlPlane) };
  const trafficBefore = relay.traffic();
  const startedMs = performance.now();
  await delay(windowSeconds * 1000);
  const traffic = relay.traffic();
  const perMin = 60_000 / (performance.now() - startedMs);
  const after = { worker: readCounters(worker), controlPlane: readCounters(controlPlane) };
  return {
    worker: { ...readMemory(worker), ...ratesBetween(before.worker, after.worker) },
    controlPlane: {
      ...readMemory(controlPlane),
      ...ratesBetween(before.controlPlane, after.controlPlane),
    },
    traffic: {
      payloadBytes: (traffic.payloadBytes - trafficBefore.payloadBytes) * perMin,
      wireBytes: (traffic.wireBytes - trafficBefore.wireBytes) * perMin,
    },
  };
}

function figuresOf(idle: Observation, busy: Observation, bare: ProcessMemory): Figure[] {
  const bareResident = { name: 'bare node process, resident', value: bare.residentMib };
  const barePrivate = { name: 'bare node process, private', value: bare.privateMib };
  const budget = (value: number) => ({ reference: { name: 'budget', value }, budget: value });
  const mib = (name: string, value: number, limit?: number): Figure => ({
    name,
    unit: 'MiB',
    value,
    reference: bareResident,
    ...(limit === undefined ? {} : { budget: limit }),
  });
  const installed = [...workerInstallation().values()].reduce((sum, one) => sum + one, 0);
  const writes = Math.max(busy.worker.writtenBytesPerMin, busy.controlPlane.writtenBytesPerMin);
  return [
    mib('worker_rss_mib', busy.worker.residentMib, BUDGET.workerMib),
    mib('worker_idle_rss_mib', idle.worker.residentMib),
    { ...mib('worker_private_mib', busy.worker.privateMib), reference: barePrivate },
    mib('control_plane_rss_mib', idle.controlPlane.residentMib, BUDGET.controlPlaneMib),
    {
      name: 'worker_cpu_percent',
      unit: '% of a core',
      value: busy.worker.cpuPercent,
      ...budget(BUDGET.workerCpuPercent),
    },
    {
      name: 'control_plane_cpu_percent',
      unit: '% of a core',
      value: idle.controlPlane.cpuPercent,
      ...budget(BUDGET.controlPlaneCpuPercent),
    },
    {
      name: 'worker_disk_mib',
      unit: 'MiB',
      value: installed,
      reference: { name: 'the engine itself', value: engineMib() },
    },
    // Of the process that writes more.
    {
      name: 'idle_writes_bytes_per_min',
      unit: 'bytes/min',
      value: writes,
      ...budget(BUDGET.writesBytesPerMin),
    },
    {
      name: 'idle_traffic_bytes_per_min',
      unit: 'bytes/min',
      value: busy.traffic.payloadBytes,
      ...budget(BUDGET.trafficBytesPerMin),
    },
  ];
}

function daemonTable(
  title: string,
  { worker, controlPlane, traffic }: Observation,
  bare: ProcessMemory,
): Table {
  const row = (name: string, one: ProcessMemory & Partial<ProcessRates>): string[] => [
    name,
    ...[one.residentMib, one.privateMib, one.cpuPercent, one.writtenBytesPerMin].map((value) =>
      value === undefined ? '' : shown(value),
    ),
  ];
  return {
    title,
    rows: [
      ['', 'resident MiB', 'private MiB', '% of a core', 'written B/min'],
      row('worker', worker),
      row('root and cluster', controlPlane),
      row('bare node process', bare),
      [
        `between worker and cluster: ${shown(traffic.payloadBytes)} B/min of MQTT, ${shown(traffic.wireBytes)} of TLS`,
      ],
    ],
  };
}
