import { policyOf } from '@oakestra/ownership';
import type { World } from './world.ts';

/** What must hold when everything works again and had time to converge. */
export function verdictOf(world: World): readonly string[] {
  const failures: string[] = [...world.violations];
  const documents = new Map(world.services.map((service) => [service.id, service.document]));
  for (const [key, intent] of world.oracle.intents) {
    const document = documents.get(key.split('/')[0] ?? '');
    if (document === undefined) continue;
    const policy = policyOf(document);
    const running = world.runningOf(key);
    if (intent === 'unwanted' && running > 0)
      failures.push(`${key} is unwanted and runs ${running} times: ${describe(world, key)}`);
    if (running > 1) failures.push(`${key} runs ${running} times after convergence`);
    if (intent === 'wanted' && !policy.isOneShot && running !== 1) {
      failures.push(`${key} is wanted and runs ${running} times: ${describe(world, key)}`);
    }
    if (intent === 'wanted' && policy.isOneShot && !policy.isAtMostOnce) {
      const isDone = world.root
        .records()
        .some((record) => record.key === key && record.phase === 'completed');
      if (!isDone && running !== 1)
        failures.push(`${key} neither runs nor is completed: ${describe(world, key)}`);
    }
  }
  for (const worker of world.workers) {
    for (const [key, container] of worker.containers) {
      if (container.isRunning && !world.oracle.intents.has(key))
        failures.push(`${worker.id} runs ${key}, which nobody asked for`);
    }
    for (const entry of worker.entries()) {
      if (entry.wanted === 'removed') failures.push(`${worker.id} still keeps a tombstone of ${entry.key}`);
    }
  }
  for (const node of [world.root, ...world.clusters]) {
    for (const record of node.records()) {
      if (record.wanted === 'removed')
        failures.push(`a tombstone of ${record.key} is left: ${describe(world, record.key)}`);
    }
  }
  return failures;
}

function describe(world: World, key: string): string {
  const rows: string[] = [];
  const add = (name: string, records: ReturnType<World['root']['records']>): void => {
    for (const record of records) {
      if (record.key !== key) continue;
      const placements = record.placements.map(
        (p) => `${p.role}:${p.member}@${p.epoch.root}.${p.epoch.cluster}`,
      );
      rows.push(`${name}{${record.wanted} ${record.phase} auth ${record.authority} ${placements.join(' ')}}`);
    }
  };
  add('root', world.root.records());
  for (const cluster of world.clusters) add(cluster.id, cluster.records());
  for (const worker of world.workers) {
    for (const entry of worker.entries()) {
      if (entry.key === key) {
        rows.push(
          `${worker.id}{${entry.wanted} ${entry.epoch.root}.${entry.epoch.cluster} ${entry.outcome ?? ''}}`,
        );
      }
    }
  }
  return rows.join(' ');
}
