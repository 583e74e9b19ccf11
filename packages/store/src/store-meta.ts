import { OakestraError } from '@oakestra/contracts';
import type { Kysely } from 'kysely';
import { assign, type MetaSchema, metaTable } from './incarnation.ts';
import type { Statement } from './statement.ts';
import type { Store, StoreMeta } from './store.ts';

export function createMeta(db: Kysely<MetaSchema>, commit: Store<unknown>['commit']): StoreMeta {
  function assignment(key: string, value: string): Statement {
    if (key.startsWith('store.')) {
      throw new OakestraError(
        'invalid',
        'store-meta-reserved',
        `The key ${key} is reserved: choose another prefix.`,
      );
    }
    return assign(db, key, value);
  }
  return {
    async get(key) {
      const row = await db.selectFrom(metaTable).select('value').where('key', '=', key).executeTakeFirst();
      return row?.value;
    },
    set: (key, value, options) =>
      commit([assignment(key, value)], { durability: options?.durability ?? 'full' }),
    assignment,
  };
}
