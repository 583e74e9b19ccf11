import {
  type SealedValue,
  type ServiceDocument,
  sealedReferencesOf,
  sealedVersionKey,
  sealedVersionsOf,
} from '@oakestra/contracts';
import type { InstanceRecord } from '@oakestra/ownership';
import type { Sealer } from '@oakestra/pki';
import type { Statement, Store } from '@oakestra/store';
import type { ValuesSchema } from './schema.ts';
import { createValueHolders } from './value-holders.ts';

/**
 * What the secrets and configs stand for that instances of this cluster refer to: each version once, encrypted, until
 * the last instance that has it is to be removed.
 */
export interface ValueStore {
  /** Are all values here that the document refers to? */
  has(document: ServiceDocument): boolean;
  /** Stores them; they stay at least until the result is called. */
  keep(values: readonly SealedValue[]): Promise<() => void>;
  /** Those of the document that are here. */
  load(document: ServiceDocument): Promise<SealedValue[]>;
  /** For the batch of these writes: what erases the values that nobody has after it. */
  erasures(writes: ReadonlyMap<string, InstanceRecord | null>): Statement[];
}

const purposeOf = (key: string): string => `cluster ${key}`;

/** Erases what a crash left behind. */
export async function openValueStore(options: {
  readonly store: Store<ValuesSchema>;
  /** Called when there is something to seal or to open. */
  readonly sealer: () => Promise<Sealer>;
  readonly records: readonly InstanceRecord[];
}): Promise<ValueStore> {
  const { store } = options;
  const { db } = store;
  const rows = await db.selectFrom('sealed_values').select('key').execute();
  const stored = new Set(rows.map(({ key }) => key));
  const holders = createValueHolders();
  for (const record of options.records) holders.note(record.key, versionsOf(record));

  const deletion = (key: string): Statement => {
    stored.delete(key);
    return db.deleteFrom('sealed_values').where('key', '=', key);
  };
  const erasing = (keys: Iterable<string>): Statement[] =>
    [...keys].filter((key) => stored.has(key) && !holders.isHeld(key)).map(deletion);

  const strays = erasing(stored);
  if (strays.length > 0) await store.commit(strays, { durability: 'full' });

  return {
    has: (document) => [...sealedVersionsOf(document)].every((key) => stored.has(key)),

    async keep(values) {
      const keys = values.map(sealedVersionKey);
      const release = holders.hold(keys);
      try {
        const sealer = await options.sealer();
        const missing = values.filter((value) => !stored.has(sealedVersionKey(value)));
        if (missing.length > 0) {
          const statements = missing.map((value) => {
            const key = sealedVersionKey(value);
            const sealed = sealer.seal(Buffer.from(value.base64, 'base64'), purposeOf(key));
            return db
              .insertInto('sealed_values')
              .values({ key, sealed })
              .onConflict((conflict) => conflict.column('key').doUpdateSet({ sealed }));
          });
          await store.commit(statements, { durability: 'full' });
          for (const value of missing) stored.add(sealedVersionKey(value));
        }
      } catch (error) {
        release();
        throw error;
      }
      return () => {
        release();
        const unwanted = erasing(keys);
        // What stays after a failure is erased at the next start.
        if (unwanted.length > 0) store.commit(unwanted, { durability: 'normal' }).catch(() => {});
      };
    },

    async load(document) {
      const values: SealedValue[] = [];
      for (const reference of uniqueVersions(document)) {
        const key = sealedVersionKey(reference);
        const query = db.selectFrom('sealed_values').select('sealed').where('key', '=', key);
        const row = await query.executeTakeFirst();
        if (row === undefined || reference.version === null) continue;
        try {
          const content = (await options.sealer()).open(row.sealed, purposeOf(key));
          const base64 = Buffer.from(content.reveal()).toString('base64');
          values.push({ id: reference.id, version: reference.version, base64 });
        } catch {
          // What cannot be read is asked for again.
          stored.delete(key);
        }
      }
      return values;
    },

    erasures(writes) {
      const released: string[] = [];
      for (const [key, record] of writes) {
        released.push(...holders.note(key, record === null ? NONE : versionsOf(record)));
      }
      return erasing(new Set(released));
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

/** What is to be removed is never started again. */
function versionsOf({ wanted, document }: InstanceRecord): ReadonlySet<string> {
  return wanted === 'running' ? sealedVersionsOf(document) : NONE;
}

function uniqueVersions(document: ServiceDocument) {
  return new Map(
    sealedReferencesOf(document).map((reference) => [sealedVersionKey(reference), reference]),
  ).values();
}
