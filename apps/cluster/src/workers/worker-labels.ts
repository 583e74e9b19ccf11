import { effectiveLabels, type LabelOverride, type Labels } from '@oakestra/contracts';
import type { Store } from '@oakestra/store';
import type { WorkerRegistry } from './registry.ts';
import type { WorkersSchema } from './schema.ts';

/** Which labels the workers have: those of their settings, and those of the root's API, which win. */
export interface WorkerLabels {
  own(workerId: string): Labels;
  override(workerId: string): LabelOverride;
  effective(workerId: string): Labels;
  /** Takes over what is newer; resolves when it is on disk, to whether it was. */
  take(workerId: string, override: LabelOverride): Promise<boolean>;
}

const NONE: LabelOverride = { version: 0, labels: {} };

export async function openWorkerLabels(
  store: Store<WorkersSchema>,
  registry: Pick<WorkerRegistry, 'byId'>,
): Promise<WorkerLabels> {
  const overrides = new Map<string, LabelOverride>();
  for (const row of await store.db.selectFrom('worker_labels').selectAll().execute()) {
    overrides.set(row.worker_id, { version: Number(row.version), labels: JSON.parse(row.labels) as Labels });
  }
  const own = (workerId: string): Labels => registry.byId(workerId)?.registration.labels ?? {};
  const override = (workerId: string): LabelOverride => overrides.get(workerId) ?? NONE;

  return {
    own,
    override,
    effective: (workerId) => effectiveLabels(own(workerId), override(workerId).labels),
    async take(workerId, next) {
      if (next.version <= override(workerId).version) return false;
      const values = { version: next.version, labels: JSON.stringify(next.labels) };
      const statement = store.db
        .insertInto('worker_labels')
        .values({ worker_id: workerId, ...values })
        .onConflict((conflict) => conflict.column('worker_id').doUpdateSet(values));
      await store.commit([statement], { durability: 'full' });
      if (next.version > override(workerId).version) overrides.set(workerId, next);
      return true;
    },
  };
}
