import { converge } from './converge.ts';
import { loseJournal, loseStore } from './losses.ts';
import { NO_CONTAINER_FAULTS } from './nodes/containers.ts';
import type { Parts } from './nodes/parts.ts';
import { createWorld, NO_FAULTS, type World } from './world.ts';

/** One thing that can happen in the small world; it heals by itself after a while. */
interface Happening {
  readonly name: string;
  readonly apply: (world: World) => void;
}

const BACK_MS = 1500;
/** Longer than any death timer of a cluster, shorter than those of the root. */
const CUT_MS = 9000;
/** In the middle of what the event before has started, and after it. */
const PAUSES_MS = [15, 6000];
const LIMIT_MS = 120_000;

/**
 * Exhaustive exploration of the smallest world with all three tiers in the plural: two clusters with one worker each,
 * one instance. Every sequence of happenings up to a length, each at every pause. Answers what went wrong where.
 */
export function explore(options: {
  readonly length: number;
  /** Explores each `stride`th sequence, beginning with this one. */
  readonly first: number;
  readonly stride: number;
  readonly parts?: Partial<Parts>;
}): { readonly explored: number; readonly failures: readonly string[] } {
  const { length, first, stride } = options;
  const choices = HAPPENINGS.length * PAUSES_MS.length;
  const failures: string[] = [];
  let explored = 0;
  for (let index = first; index < choices ** length; index += stride) {
    explored += 1;
    const sequence = Array.from({ length }, (_, place) => Math.floor(index / choices ** place) % choices);
    const found = exploreOne(sequence, options.parts ?? {});
    if (found.length > 0) failures.push(`${namesOf(sequence)}: ${found.slice(0, 3).join('; ')}`);
  }
  return { explored, failures };
}

function exploreOne(sequence: readonly number[], parts: Partial<Parts>): readonly string[] {
  const world = createWorld({
    seed: 1,
    clusterCount: 2,
    workersPerCluster: 1,
    services: [{}],
    faults: NO_FAULTS,
    containerFaults: NO_CONTAINER_FAULTS,
    parts,
  });
  world.run(2000);
  world.request(0);
  for (const choice of sequence) {
    world.run(pauseOf(choice));
    happeningOf(choice)?.apply(world);
  }
  world.run(CUT_MS + BACK_MS);
  world.healEverything();
  const limits = { withinMs: LIMIT_MS, stepMs: 1000, settleMs: 35_000, quietMs: 35_000 };
  return [...world.watch.violations, ...converge(world, limits).failures];
}

const pauseOf = (choice: number): number => PAUSES_MS[choice % PAUSES_MS.length] as number;
const happeningOf = (choice: number): Happening | undefined =>
  HAPPENINGS[Math.floor(choice / PAUSES_MS.length)];
const namesOf = (sequence: readonly number[]): string =>
  sequence.map((choice) => `after ${pauseOf(choice)} ms ${happeningOf(choice)?.name}`).join(', ');

const HAPPENINGS: readonly Happening[] = [
  {
    name: 'the root is killed',
    apply(world) {
      world.root.crash();
      world.time.after(BACK_MS, world.root.start);
    },
  },
  {
    name: 'the root loses its store',
    apply(world) {
      loseStore(world, world.root);
      world.time.after(BACK_MS, world.root.start);
    },
  },
  {
    name: 'the user removes the instance',
    apply(world) {
      for (const [key, intent] of world.oracle.intents) if (intent === 'wanted') world.removeInstance(key);
    },
  },
  {
    name: 'all clusters are opened',
    apply(world) {
      for (const cluster of world.clusters) world.operate(cluster, 'open');
    },
  },
  { name: 'the user asks for one more', apply: (world) => void world.request(0) },
  ...[0, 1].flatMap(happeningsOfPart),
];

function happeningsOfPart(index: number): Happening[] {
  const clusterOf = (world: World) => world.clusters[index] as World['clusters'][number];
  const workerOf = (world: World) => world.workers[index] as World['workers'][number];
  const cut = (world: World, id: string): void => {
    const link = world.linkOf(id);
    link.cut();
    world.time.after(CUT_MS, link.heal);
  };
  return [
    { name: `cluster ${index} is drained`, apply: (world) => world.operate(clusterOf(world), 'draining') },
    { name: `cluster ${index} is removed`, apply: (world) => world.operate(clusterOf(world), 'removed') },
    {
      name: `cluster ${index} is killed`,
      apply(world) {
        clusterOf(world).crash();
        world.time.after(BACK_MS, clusterOf(world).start);
      },
    },
    {
      name: `cluster ${index} loses its store`,
      apply(world) {
        loseStore(world, clusterOf(world));
        world.time.after(BACK_MS, clusterOf(world).start);
      },
    },
    { name: `cluster ${index} is cut off`, apply: (world) => cut(world, clusterOf(world).id) },
    {
      name: `worker ${index} is killed`,
      apply(world) {
        workerOf(world).crash('process');
        world.time.after(BACK_MS, workerOf(world).start);
      },
    },
    {
      name: `worker ${index} loses power`,
      apply(world) {
        workerOf(world).crash('machine');
        world.time.after(CUT_MS, workerOf(world).start);
      },
    },
    {
      name: `worker ${index} loses its journal`,
      apply(world) {
        loseJournal(world, workerOf(world));
        world.time.after(BACK_MS, workerOf(world).start);
      },
    },
    { name: `worker ${index} is cut off`, apply: (world) => cut(world, workerOf(world).id) },
  ];
}
