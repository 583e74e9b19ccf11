import { loseJournal, loseStore, replaceMachine, restoreStore } from './losses.ts';
import type { TierStore } from './nodes/tier-store.ts';
import type { World } from './world.ts';

/** One thing that happens to a world. */
export type Fault = (world: World, memory: FaultMemory) => void;

/** What faults of one run share: the backups that were taken. */
export interface FaultMemory {
  readonly backups: Map<string, TierStore>;
}

const request: Fault = (world) => void world.request(world.random.below(world.serviceCount));

const remove: Fault = (world) => {
  const wanted = [...world.oracle.intents].filter(([, intent]) => intent === 'wanted').map(([key]) => key);
  if (wanted.length > 0) world.removeInstance(world.random.pick(wanted));
};

const change: Fault = (world) => world.change(world.random.below(world.serviceCount));

const killWorker: Fault = (world) => {
  const worker = world.random.pick(world.workers);
  world.watch.trace(`${worker.id} is killed`);
  worker.crash('process');
  world.time.after(200 + world.random.below(1500), worker.start);
};

const powerFailure: Fault = (world) => {
  const worker = world.random.pick(world.workers);
  world.watch.trace(`${worker.id} loses power`);
  worker.crash('machine');
  world.time.after(2000 + world.random.below(20_000), worker.start);
};

const restartWorker: Fault = (world) => {
  const worker = world.random.pick(world.workers);
  world.watch.trace(`${worker.id} restarts in order`);
  worker.crash('restart');
  // While its process is dead nobody fences: where that cannot be announced, its service manager starts it at once.
  const isAnnounced = !world.linkOf(worker.id).isCut();
  world.time.after(200 + world.random.below(isAnnounced ? 15_000 : 1500), worker.start);
};

const killCluster: Fault = (world) => {
  const cluster = world.random.pick(world.clusters);
  world.watch.trace(`${cluster.id} is killed`);
  cluster.crash();
  world.time.after(200 + world.random.below(10_000), cluster.start);
};

const restartCluster: Fault = (world) => {
  const cluster = world.random.pick(world.clusters);
  world.watch.trace(`${cluster.id} restarts in order`);
  cluster.crash(30_000);
  world.time.after(200 + world.random.below(10_000), cluster.start);
};

const killRoot: Fault = (world) => {
  world.watch.trace('root is killed');
  world.root.crash();
  world.time.after(200 + world.random.below(10_000), world.root.start);
};

const cutLink: Fault = (world) => {
  const link = world.random.pick(world.links);
  world.watch.trace(`the link of ${link.lower.id} is cut`);
  link.cut();
  world.time.after(500 + world.random.below(30_000), () => {
    world.watch.trace(`the link of ${link.lower.id} works again`);
    link.heal();
  });
};

const massSilence: Fault = (world) => {
  const cluster = world.random.pick(world.clusters);
  const durationMs = 3000 + world.random.below(30_000);
  for (const worker of world.workersOf(cluster)) {
    if (world.random.chance(0.2)) continue;
    const link = world.linkOf(worker.id);
    world.watch.trace(`the link of ${worker.id} is cut, with others`);
    link.cut();
    world.time.after(durationMs + world.random.below(500), link.heal);
  }
};

const stall: Fault = (world) => {
  const node = world.random.pick([world.root, ...world.clusters]);
  const durationMs = 600 + world.random.below(12_000);
  world.watch.trace(`${node.id} stands still for ${durationMs} ms`);
  node.stall(durationMs);
};

const jumpWall: Fault = (world) => {
  const node = world.random.pick([world.root, ...world.clusters, ...world.workers]);
  node.jumpWall((world.random.fraction() - 0.5) * 2 * 86_400_000);
};

const fullDisk: Fault = (world) => {
  const node = world.random.pick([world.root, ...world.clusters, ...world.workers]);
  world.watch.trace(`the disk of ${node.id} is full`);
  node.disk.fill();
  world.time.after(500 + world.random.below(15_000), () => {
    world.watch.trace(`the disk of ${node.id} has room again`);
    node.disk.free();
  });
};

const backUp: Fault = (world, { backups }) => {
  for (const node of [world.root, ...world.clusters]) {
    if (world.random.chance(0.5)) backups.set(node.id, node.disk.read());
  }
};

const restore: Fault = (world, { backups }) => {
  const node = world.random.pick([world.root, ...world.clusters]);
  const backup = backups.get(node.id);
  if (backup === undefined) return;
  restoreStore(world, node, backup, { isNoticed: world.random.chance(0.7) });
  world.time.after(200 + world.random.below(5000), node.start);
};

const lose: Fault = (world) => {
  const node = world.random.pick([world.root, ...world.clusters]);
  loseStore(world, node);
  world.time.after(200 + world.random.below(5000), node.start);
};

const forgetJournal: Fault = (world) => {
  const worker = world.random.pick(world.workers);
  loseJournal(world, worker);
  world.time.after(200 + world.random.below(1500), worker.start);
};

const newMachine: Fault = (world) => {
  const worker = world.random.pick(world.workers);
  replaceMachine(world, worker);
  world.time.after(2000 + world.random.below(20_000), worker.start);
};

const drain: Fault = (world) => world.operate(world.random.pick(world.clusters), 'draining');

const open: Fault = (world) => world.operate(world.random.pick(world.clusters), 'open');

const cordon: Fault = (world) => world.operate(world.random.pick(world.clusters), 'cordoned');

const removeCluster: Fault = (world) => world.operate(world.random.pick(world.clusters), 'removed');

const USERS: readonly Fault[] = [request, request, remove];

const deployGlobal: Fault = (world) => world.deployGlobal();

const removeGlobal: Fault = (world) => world.removeGlobal();

const OPERATORS: readonly Fault[] = [drain, open, drain, open, cordon, removeCluster];

/** Nothing of this may lose anything that was promised. */
export const ORDINARY: readonly Fault[] = [
  ...USERS,
  killWorker,
  powerFailure,
  restartWorker,
  killCluster,
  restartCluster,
  killRoot,
  cutLink,
  cutLink,
  massSilence,
  stall,
  fullDisk,
  jumpWall,
];

/** The same with services that are changed meanwhile, and operators that drain, remove and admit clusters. */
export const CHANGES: readonly Fault[] = [
  ...ORDINARY,
  ...USERS,
  change,
  change,
  ...OPERATORS,
  deployGlobal,
  deployGlobal,
  removeGlobal,
];

/** The same with stores and machines that are lost or put back. */
export const LOSSES: readonly Fault[] = [
  ...CHANGES,
  backUp,
  backUp,
  restore,
  restore,
  lose,
  forgetJournal,
  newMachine,
];
