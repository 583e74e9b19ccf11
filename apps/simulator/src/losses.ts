import type { InstanceKey } from '@oakestra/contracts';
import type { ClusterNode } from './nodes/cluster-node.ts';
import type { RootNode } from './nodes/root-node.ts';
import { emptyStore, type TierStore } from './nodes/tier-store.ts';
import type { WorkerNode } from './nodes/worker-node.ts';
import type { World } from './world.ts';

/** The store of a tier is gone; the process starts again with an empty one. */
export function loseStore(world: World, node: RootNode | ClusterNode): void {
  world.watch.trace(`${node.id} loses its store`);
  putStore(world, node, emptyStore(world.random), true);
  if ('values' in node) node.values.lose();
}

/** The store of a tier is put back to what it was. Not noticed: the whole machine was, and looks as before. */
export function restoreStore(
  world: World,
  node: RootNode | ClusterNode,
  backup: TierStore,
  options: { readonly isNoticed: boolean },
): void {
  world.watch.trace(`${node.id} gets an old store${options.isNoticed ? '' : ' and does not notice'}`);
  putStore(world, node, { ...backup, wasRestored: options.isNoticed }, options.isNoticed);
}

function putStore(world: World, node: RootNode | ClusterNode, store: TierStore, isNoticed: boolean): void {
  node.crash();
  node.disk.replace(store);
  world.watch.storeChanged(node.id, { isNoticed });
  // With the store comes back what operators had said of clusters by then.
  if (node.id === 'root') {
    for (const { id } of world.clusters) {
      if (store.marks.get(id)?.availability === 'removed') world.watch.removedByForce(id, []);
      else world.watch.admitted(id);
    }
  }
  doubt(world);
}

/** Its journal is gone, its containers stay. */
export function loseJournal(world: World, worker: WorkerNode): void {
  world.watch.trace(`${worker.id} loses its journal`);
  worker.crash('process');
  worker.loseJournal();
  doubt(world);
}

/** A new machine takes the place of the old one. */
export function replaceMachine(world: World, worker: WorkerNode): void {
  world.watch.trace(`${worker.id} is a new machine`);
  worker.crash('machine');
  worker.loseJournal();
  doubt(world);
}

/** What only the lost store could have known is not promised any more. */
function doubt(world: World): void {
  world.oracle.doubt((key, intent) => {
    const isCarried = isCarriedBelow(world, key);
    const record = world.root.disk.read().records.get(key);
    if (intent === 'wanted') return isCarried || record?.wanted === 'running';
    return !isCarried && record?.wanted !== 'running';
  });
}

/** Is there someone who would bring it back to a root that knows nothing? */
function isCarriedBelow(world: World, key: InstanceKey): boolean {
  const isHeld = world.workers.some((worker) => {
    // Its cluster was told to stop it: nobody but a lost root knew for whom.
    const cluster = world.clusters.find(({ id }) => worker.id.startsWith(`${id}w`));
    if (cluster?.disk.read().records.get(key)?.wanted === 'removed') return false;
    const entry = worker.disk.read().entries.get(key);
    return entry === undefined ? worker.containers.has(key) : entry.wanted === 'running';
  });
  return (
    isHeld || world.clusters.some((cluster) => cluster.disk.read().records.get(key)?.wanted === 'running')
  );
}
