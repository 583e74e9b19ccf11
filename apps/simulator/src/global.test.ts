import { globalInstanceNumber, instanceKey } from '@oakestra/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { converge } from './converge.ts';
import { loseStore } from './losses.ts';
import { NO_CONTAINER_FAULTS } from './nodes/containers.ts';
import { createWorld, NO_FAULTS, type World } from './world.ts';

let world: World;
const limits = { withinMs: 120_000, stepMs: 1000, settleMs: 35_000, quietMs: 35_000 };

/** The workers that run it, by their own number. */
function runners(): string[] {
  const [id] = [...world.globals.keys()].slice(-1);
  return world.workers
    .filter((worker) =>
      world.watch.runningOf(instanceKey(id ?? '', globalInstanceNumber(worker.id))).includes(worker.id),
    )
    .map((worker) => worker.id);
}

const everyone = () => world.workers.map(({ id }) => id);
const settle = () => {
  world.healEverything();
  expect([...world.watch.violations, ...converge(world, limits).failures]).toEqual([]);
};

beforeEach(() => {
  world = createWorld({
    ...{ seed: 1, clusterCount: 2, workersPerCluster: 2, services: [{}] },
    ...{ faults: NO_FAULTS, containerFaults: NO_CONTAINER_FAULTS },
  });
  world.run(3000);
});

describe('a global service', () => {
  it('runs once on every worker, and is gone after its removal', () => {
    world.deployGlobal();
    settle();
    expect(runners()).toEqual(everyone());
    world.removeGlobal();
    settle();
    expect(runners()).toEqual([]);
  });

  it('comes to a worker that joins while the root is away', () => {
    const late = world.workers[1];
    late?.crash('machine');
    late?.loseJournal();
    world.deployGlobal();
    world.run(5000);
    expect(runners()).toEqual(everyone().filter((id) => id !== late?.id));
    world.root.crash();
    world.run(1000);
    late?.start();
    world.run(10_000);
    expect(runners()).toEqual(everyone());
    settle();
  });

  it('is taken from a cluster that was away when it was removed', () => {
    world.deployGlobal();
    world.run(5000);
    const [first] = world.clusters;
    world.linkOf(first?.id ?? '').cut();
    world.run(10_000);
    world.removeGlobal();
    world.run(5000);
    expect(runners()).toEqual(world.workersOf(first as World['clusters'][number]).map(({ id }) => id));
    settle();
    expect(runners()).toEqual([]);
  });

  it('leaves a cluster that is drained, and comes back', () => {
    world.deployGlobal();
    world.run(5000);
    const [first, second] = world.clusters as [World['clusters'][number], World['clusters'][number]];
    world.operate(first, 'draining');
    settle();
    expect(runners()).toEqual(world.workersOf(second).map(({ id }) => id));
    world.operate(first, 'open');
    settle();
    expect(runners()).toEqual(everyone());
  });

  it.each(['the root', 'a cluster'])('runs on, once, when %s loses its store', (who) => {
    world.deployGlobal();
    world.run(5000);
    const node = who === 'the root' ? world.root : (world.clusters[0] ?? world.root);
    loseStore(world, node);
    node.start();
    settle();
    world.run(60_000);
    expect(runners()).toEqual(everyone());
  });
});
