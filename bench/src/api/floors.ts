import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createLogger, systemClock, systemRandom } from '@oakestra/daemon';
import { openSqliteStore } from '@oakestra/store';
import { measureRate } from './rate.ts';

/** What the root cannot be faster than. Each is measured in this process, in the same run. */

interface Argon2 {
  hash(password: string, options: Readonly<Record<string, number>>): Promise<string>;
  verify(hash: string, password: string): Promise<boolean>;
}

/** Parameters of the root's passwords. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** As many at a time as the root lets run. */
const ARGON2_CONCURRENT = 2;

/** Verifications of passwords a second, without anything around them. */
export async function verificationsPerSecond(durationMs: number): Promise<number> {
  // The very library that the root ships.
  const ofRoot = createRequire(new URL('../../../apps/root/package.json', import.meta.url));
  const argon2 = ofRoot('@node-rs/argon2') as Argon2;
  const hash = await argon2.hash('benchmark-password', ARGON2);
  const work = () => argon2.verify(hash, 'benchmark-password');
  return (await measureRate({ concurrent: ARGON2_CONCURRENT, durationMs, work })).perSecond;
}

/** Transactions of one row that are on the disk when they are answered, one after the other. */
export async function syncedTransactionsPerSecond(folder: string, durationMs: number): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const store = await openSqliteStore<{ notes: { id: number; text: string } }>({
    path: join(folder, 'floor.db'),
    migrations: {
      '0001-notes': {
        async up(db) {
          await db.schema
            .createTable('notes')
            .addColumn('id', 'integer', (column) => column.primaryKey())
            .addColumn('text', 'text', (column) => column.notNull())
            .execute();
        },
      },
    },
    logger: createLogger({ output: { write: () => undefined } }),
    clock: systemClock(),
    random: systemRandom(),
  });
  const work = (id: number) =>
    store.commit([store.db.insertInto('notes').values({ id, text: 'x'.repeat(1000) })], {
      durability: 'full',
    });
  try {
    return (await measureRate({ concurrent: 1, durationMs, work })).perSecond;
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
