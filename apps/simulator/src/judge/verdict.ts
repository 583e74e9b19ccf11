import {
  formatEpoch,
  globalInstanceNumber,
  type InstanceKey,
  instanceKey,
  isGlobal,
  parseInstanceKey,
  type ServiceDocument,
  sealedVersionsOf,
} from '@oakestra/contracts';
import { type InstanceRecord, placementOf, policyOf } from '@oakestra/ownership';
import type { InstanceEntry } from '@oakestra/worker';
import type { VirtualValues } from '../nodes/values.ts';
import type { World } from '../world.ts';

/**
 * What must hold when everything works again and had time to converge; empty when it does. `isFinal`: also jobs had
 * the time to end.
 */
export function verdictOf(world: World, isFinal: boolean): readonly string[] {
  const records = new Map(world.root.records().map((record) => [record.key, record]));
  const failures: string[] = [];
  for (const key of keysOf(world)) {
    const failure = verdictOn(world, key, records.get(key), isFinal);
    if (failure !== undefined) failures.push(`${key} ${failure}: ${describe(world, key)}`);
  }
  const others = [...leftovers(world), ...values(world), ...separations(world)];
  others.push(...remainders(world), ...globals(world));
  return [...failures, ...rollouts(world), ...others];
}

/** A change of a service comes to an end, and then all its instances are of one revision. */
function rollouts(world: World): string[] {
  const found: string[] = [];
  for (const { id, document, rollout } of world.root.core()?.services() ?? []) {
    if (rollout?.active !== undefined) found.push(`${id} is still being changed`);
    if (policyOf(document).isOneShot || world.hasLostStores()) continue;
    for (const record of world.root.records()) {
      if (parseInstanceKey(record.key).serviceId !== id || record.wanted === 'removed') continue;
      if (record.document.image === document.image) continue;
      found.push(`${record.key} is of ${record.document.image}, its service of ${document.image}`);
    }
  }
  return found;
}

/** Clusters that are drained or removed hold nothing but jobs that have begun. */
function remainders(world: World): string[] {
  const isLeft = new Set(
    world.clusters.flatMap((cluster) => {
      const availability = world.availabilityOf(cluster);
      return availability === 'draining' || availability === 'removed' ? [cluster.id] : [];
    }),
  );
  if (!world.clusters.some((cluster) => world.availabilityOf(cluster) === 'open'))
    return ['no cluster is open'];
  return world.root.records().flatMap((record) => {
    const owner = placementOf(record, 'owner')?.member ?? '';
    const mayStay = policyOf(record.document).isOneShot;
    return isLeft.has(owner) && !mayStay
      ? [`${record.key} is still on ${owner}: ${describe(world, record.key)}`]
      : [];
  });
}

/** Values are wherever an instance may be started that needs them, and nowhere else. */
function values(world: World): string[] {
  const found: string[] = [];
  const judge = (
    id: string,
    kept: VirtualValues,
    present: readonly (InstanceEntry | InstanceRecord)[],
  ): void => {
    const wanted = new Set<string>();
    for (const { key, wanted: goal, document } of present) {
      if (goal !== 'running') continue;
      for (const version of sealedVersionsOf(document)) wanted.add(version);
      if (!kept.has(document)) found.push(`${id} lacks values of ${key}`);
    }
    for (const version of kept.stored()) {
      if (!wanted.has(version)) found.push(`${id} still keeps the value ${version}`);
    }
  };
  for (const worker of world.workers) judge(worker.id, worker.values, worker.entries());
  for (const cluster of world.clusters) judge(cluster.id, cluster.values, cluster.records());
  return found;
}

function separations(world: World): string[] {
  return world.links.flatMap((link) => (link.isUp() ? [] : [`${link.lower.id} is not connected`]));
}

function keysOf(world: World): ReadonlySet<InstanceKey> {
  const keys = new Set(world.oracle.intents.keys());
  for (const record of world.root.records()) keys.add(record.key);
  for (const worker of world.workers) for (const key of worker.containers.keys()) keys.add(key);
  return keys;
}

function verdictOn(
  world: World,
  key: InstanceKey,
  record: InstanceRecord | undefined,
  isFinal: boolean,
): string | undefined {
  const intent = world.oracle.intents.get(key);
  const document = world.documentOf(key);
  const runners = world.watch.runningOf(key);
  if (document !== undefined && isGlobal(document)) return verdictOnGlobal(key, runners);
  if (runners.length > 1) return `runs ${runners.length} times`;
  if (intent === undefined || document === undefined) {
    return runners.length > 0 ? 'runs, and nobody asked for it' : undefined;
  }
  if (intent === 'unwanted' && (runners.length > 0 || record !== undefined))
    return 'is unwanted and is there';
  if (intent === 'wanted' && record === undefined) return 'is wanted and unknown to the root';
  // Known to the root and running: always both or neither.
  if (record === undefined) return runners.length > 0 ? 'runs without being known to the root' : undefined;
  const failure = verdictOnKnown(record, document, runners, isFinal);
  if (failure !== undefined || runners[0] === undefined) return failure;
  return isKnownToCluster(world, key, runners[0]) ? undefined : 'runs without being known to the cluster';
}

/** One on each worker of a cluster that takes part, and always the same one. */
function verdictOnGlobal(key: InstanceKey, runners: readonly string[]): string | undefined {
  const { number } = parseInstanceKey(key);
  const stranger = runners.find((worker) => globalInstanceNumber(worker) !== number);
  return stranger === undefined ? undefined : `runs on ${stranger}, whose number is another one`;
}

function globals(world: World): string[] {
  if (world.hasLostStores()) return [];
  return [...world.globals].flatMap(([id, intent]) => {
    if (intent === 'unsure') return [];
    return world.clusters.flatMap((cluster) => {
      const availability = world.availabilityOf(cluster);
      const isWanted = intent === 'wanted' && (availability === 'open' || availability === 'cordoned');
      return world.workersOf(cluster).flatMap((worker) => {
        const key = instanceKey(id, globalInstanceNumber(worker.id));
        const isRunning = world.watch.runningOf(key).includes(worker.id);
        const isKnown = world.root.core()?.arbiter.record(key)?.phase === 'running';
        if (isRunning === isWanted && isKnown === isWanted) return [];
        const what = isWanted ? 'should run there and be known' : 'should not be there';
        return [`${key} of ${worker.id} ${what}: ${describe(world, key)}`];
      });
    });
  });
}

function isKnownToCluster(world: World, key: InstanceKey, worker: string): boolean {
  return world.clusters.some((cluster) => {
    const record = cluster.core()?.arbiter.record(key);
    const owner = record === undefined ? undefined : placementOf(record, 'owner');
    return owner?.member === worker && record?.isUnconfirmed !== true;
  });
}

function verdictOnKnown(
  record: InstanceRecord,
  document: ServiceDocument,
  runners: readonly string[],
  isFinal: boolean,
): string | undefined {
  const { isAtMostOnce, isOneShot } = policyOf(document);
  const ends = isAtMostOnce ? ['completed', 'failed', 'dead'] : isOneShot ? ['completed'] : [];
  if (runners.length === 0 && ends.includes(record.phase)) return undefined;
  if (isOneShot && isFinal) return 'is not over';
  if (runners.length === 0) return 'is wanted and does not run';
  if (record.phase !== 'running') return `runs, and the root says ${record.phase}`;
  return record.workerId === runners[0] ? undefined : 'runs elsewhere than the root says';
}

function leftovers(world: World): string[] {
  const found: string[] = [];
  for (const worker of world.workers) {
    for (const entry of worker.entries()) {
      if (entry.wanted === 'removed') found.push(`${worker.id} still keeps a tombstone of ${entry.key}`);
    }
  }
  for (const node of [world.root, ...world.clusters]) {
    for (const record of node.records()) {
      if (record.wanted === 'removed')
        found.push(`${node.id} still keeps a tombstone: ${describe(world, record.key)}`);
      if (record.placements.some((placement) => placement.role !== 'owner'))
        found.push(`${node.id} still has more than one placement: ${describe(world, record.key)}`);
    }
  }
  return found;
}

/** Where an instance is, in the eyes of everyone. */
function describe(world: World, key: InstanceKey): string {
  const rows: string[] = [];
  for (const node of [world.root, ...world.clusters]) {
    for (const record of node.records())
      if (record.key === key) rows.push(`${node.id}{${recordText(record)}}`);
  }
  for (const worker of world.workers) {
    const entry = worker.entries().find((other) => other.key === key);
    const container = worker.containers.get(key);
    if (entry === undefined && container === undefined) continue;
    const held = container === undefined ? '' : ` has ${formatEpoch(container.epoch)}`;
    const known =
      entry === undefined ? '' : `${entry.wanted} ${formatEpoch(entry.epoch)} ${entry.outcome ?? ''}`;
    rows.push(`${worker.id}{${known}${held}}`);
  }
  return `${world.oracle.intents.get(key) ?? ''} ${rows.join(' ')}`;
}

function recordText(record: InstanceRecord): string {
  const placements = record.placements.map(
    (placement) => `${placement.role}:${placement.member}@${formatEpoch(placement.epoch)}`,
  );
  const doubt = record.isUnconfirmed === true ? ' unconfirmed' : '';
  return `${record.wanted} ${record.phase}${doubt} under ${record.authority} ${placements.join(' ')}`;
}
