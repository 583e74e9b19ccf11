import { verdictOf } from './verdict.ts';
import { createWorld, type World } from './world.ts';

export interface RunResult {
  readonly seed: number;
  readonly failures: readonly string[];
  readonly log: readonly string[];
}

/** One random world: users come and go, things break, everything heals, and then the promises must hold. */
export function runSeed(seed: number): RunResult {
  const world = createWorld({
    seed,
    clusterCount: 1 + (seed % 2),
    workersPerCluster: 1 + (seed % 3),
    faults: { loss: seed % 4 === 0 ? 0 : 0.02, duplication: 0.02, maxLatencyMs: seed % 5 === 0 ? 200 : 20 },
  });
  world.run(3000);
  for (const service of world.services) world.request(service.id);
  const steps = 20 + world.random.below(20);
  for (let step = 0; step < steps; step += 1) {
    world.run(world.random.pick([50, 300, 1000, 4000, 8000]));
    world.random.pick(ACTIONS)(world);
  }
  world.healEverything();
  world.run(240_000);
  return { seed, failures: verdictOf(world), log: world.log };
}

type Action = (world: World) => void;

const request: Action = (world) => world.request(world.random.pick(world.services).id);

const remove: Action = (world) => {
  const wanted = [...world.oracle.intents].filter(([, intent]) => intent === 'wanted').map(([key]) => key);
  if (wanted.length > 0) world.removeInstance(world.random.pick(wanted));
};

const crashWorker: Action = (world) => {
  const worker = world.random.pick(world.workers);
  const kind = world.random.pick(['process', 'machine', 'restart'] as const);
  world.trace(`${worker.id} dies: ${kind}`);
  worker.crash(kind);
  world.time.after(
    kind === 'machine' ? 2000 + world.random.below(20_000) : 200 + world.random.below(1500),
    () => worker.start(),
  );
};

const crashCluster: Action = (world) => {
  const cluster = world.random.pick(world.clusters);
  world.trace(`${cluster.id} dies`);
  cluster.crash(world.random.chance(0.3) ? 30_000 : undefined);
  world.time.after(200 + world.random.below(10_000), () => cluster.start());
};

const crashRoot: Action = (world) => {
  world.trace('root dies');
  world.root.crash();
  world.time.after(200 + world.random.below(10_000), () => world.root.start());
};

const cut: Action = (world) => {
  const link = world.random.pick(world.links);
  world.trace(`link of ${link.lower.id} is cut`);
  link.cut();
  world.time.after(500 + world.random.below(30_000), () => {
    world.trace(`link of ${link.lower.id} is healed`);
    link.heal();
  });
};

const ACTIONS: readonly Action[] = [
  request,
  request,
  remove,
  crashWorker,
  crashWorker,
  crashCluster,
  crashRoot,
  cut,
  cut,
];
