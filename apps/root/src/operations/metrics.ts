import type { Store } from '@oakestra/store';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';

/** What an operator watches, in the text format of Prometheus. */
export interface Metrics {
  /** A request was answered. The route is the pattern, never the address: labels stay few. */
  answered(request: {
    readonly route: string;
    readonly method: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** For `/metrics`. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Seconds; from an answer out of memory to one that waits for a slow disk. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createMetrics(parts: {
  readonly deployments: Pick<Deployments, 'services'>;
  readonly clusters: Pick<Clusters, 'all'>;
  /** Whether this root decides; always so where it is alone. */
  readonly leads: () => boolean;
  readonly store: Pick<Store<never>, 'statistics'>;
  readonly version: string;
}): Metrics {
  const { deployments, clusters, store } = parts;
  const registry = new Registry();
  const registers = [registry];
  addProcessMetrics(registry);

  const latency = new Histogram({
    name: 'oakestra_root_http_request_seconds',
    help: 'Time until a request was answered',
    labelNames: ['route', 'method', 'status'],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  new Gauge({
    name: 'oakestra_root_info',
    help: 'The program, always 1',
    labelNames: ['version'],
    registers,
  }).set({ version: parts.version }, 1);
  new Gauge({
    name: 'oakestra_root_leader',
    help: '1 where this root leads, 0 where another one does',
    registers,
    collect() {
      this.set(parts.leads() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'oakestra_root_instances',
    help: 'Instances that are wanted, by status',
    labelNames: ['status'],
    registers,
    collect() {
      this.reset();
      for (const { instances } of deployments.services()) {
        for (const { status } of instances) this.inc({ status });
      }
    },
  });
  new Gauge({
    name: 'oakestra_root_services',
    help: 'Registered services',
    registers,
    collect() {
      this.set(deployments.services().length);
    },
  });
  new Gauge({
    name: 'oakestra_root_clusters',
    help: 'Registered clusters, by whether their link is up',
    labelNames: ['state'],
    registers,
    collect() {
      const all = clusters.all();
      const active = all.filter(({ isActive }) => isActive).length;
      this.set({ state: 'active' }, active);
      this.set({ state: 'silent' }, all.length - active);
    },
  });
  addStoreMetrics(store, registry);

  return {
    answered({ route, method, status, seconds }) {
      latency.observe({ route, method, status: String(status) }, seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** The library's own set samples the event loop all the time, which an idle root should not. */
function addProcessMetrics(registry: Registry): void {
  new Gauge({
    name: 'oakestra_root_resident_memory_bytes',
    help: 'Memory of the process',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  addCounter(registry, {
    name: 'oakestra_root_cpu_seconds_total',
    help: 'Processor time of the process',
    read() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
}

const STORE_COUNTERS = {
  batches: 'Batches that were answered, failed ones included',
  groups: 'Transactions that carried them',
  syncs: 'Syncs of the disk',
} as const;

function addStoreMetrics({ statistics }: Pick<Store<never>, 'statistics'>, registry: Registry): void {
  for (const [name, help] of Object.entries(STORE_COUNTERS)) {
    const read = (): number => statistics[name as keyof typeof STORE_COUNTERS];
    addCounter(registry, { name: `oakestra_root_store_${name}_total`, help, read });
  }
}

/** Counts that somebody else keeps, taken over when somebody looks. */
function addCounter(
  registry: Registry,
  { name, help, read }: { readonly name: string; readonly help: string; readonly read: () => number },
): void {
  registry.registerMetric(
    new Counter({
      name,
      help,
      registers: [],
      collect() {
        this.reset();
        this.inc(read());
      },
    }),
  );
}
