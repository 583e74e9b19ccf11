import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import type { Clock, Disk } from '@oakestra/daemon';
import type { Sealer } from '@oakestra/pki';
import { expectChanges, type Store } from '@oakestra/store';
import * as z from 'zod';
import {
  type KeyRing,
  type KeyShelf,
  parsePrivate,
  parseRetired,
  privatePem,
  retiredJson,
} from './key-ring.ts';
import type { IdentitySchema } from './schema.ts';

const CURRENT_FILE = 'token-key.pem';
const RETIRED_FILE = 'token-keys-retired.json';

/** Files of mode 0600 in the state folder of a root that is alone. */
export function diskKeyShelf(disk: Disk, stateDir: string): KeyShelf {
  const currentPath = join(stateDir, CURRENT_FILE);
  const retiredPath = join(stateDir, RETIRED_FILE);
  return {
    async read() {
      const current = await disk.readFile(currentPath);
      if (current === undefined) return undefined;
      const retired = await disk.readFile(retiredPath);
      return {
        signing: parsePrivate(Buffer.from(current).toString(), `The file ${currentPath}`),
        retired:
          retired === undefined
            ? []
            : parseRetired(Buffer.from(retired).toString(), `The file ${retiredPath}`),
      };
    },
    async replace({ signing, retired }) {
      // In this order a crash in between leaves the old key signing, and verifying twice.
      if (retired.length > 0 || (await disk.readFile(retiredPath)) !== undefined) {
        await disk.replaceFile(retiredPath, Buffer.from(retiredJson(retired)), 0o600);
      }
      await disk.replaceFile(currentPath, Buffer.from(privatePem(signing)), 0o600);
      return true;
    },
    news: async () => undefined,
  };
}

const ROW = 'tokens';
const PURPOSE = 'signing keys of tokens';
const SOURCE = 'The table signing_keys';
/** How long a key that another root put there may stay unnoticed. */
const LOOK_EVERY_MS = 1000;

const contentSchema = z.object({ signing: z.string(), retired: z.string() });

/** The store, for roots that share it: encrypted with the sealing key that they have in common. */
export function storeKeyShelf(options: {
  readonly store: Store<IdentitySchema>;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): KeyShelf {
  const { store, sealer, clock } = options;
  const { db } = store;
  let known = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  const open = (sealed: string): KeyRing => {
    const text = Buffer.from(sealer.open(sealed, PURPOSE).reveal()).toString();
    const { signing, retired } = contentSchema.parse(JSON.parse(text));
    return { signing: parsePrivate(signing, SOURCE), retired: parseRetired(retired, SOURCE) };
  };
  const row = () => db.selectFrom('signing_keys').selectAll().where('id', '=', ROW).executeTakeFirst();

  const shelf: KeyShelf = {
    async read() {
      lookedAtMs = clock.monotonicMs();
      const found = await row();
      if (found === undefined) return undefined;
      const ring = open(found.sealed);
      known = Number(found.revision);
      // The key that it is sealed with may be on its way out.
      if (!found.sealed.startsWith(`${sealer.keyId}.`)) await shelf.replace(ring);
      return ring;
    },
    async replace({ signing, retired }) {
      const content = JSON.stringify({ signing: privatePem(signing), retired: retiredJson(retired) });
      const next = { revision: known + 1, sealed: sealer.seal(Buffer.from(content), PURPOSE) };
      const insertion = db
        .insertInto('signing_keys')
        .values({ id: ROW, ...next })
        .onConflict((conflict) =>
          conflict.column('id').doUpdateSet(next).where('signing_keys.revision', '=', known),
        );
      try {
        await store.commit([expectChanges(insertion)], { durability: 'full' });
      } catch (error) {
        if (error instanceof OakestraError && error.code === 'store-expectation') return false;
        throw error;
      }
      known = next.revision;
      return true;
    },
    async news() {
      if (clock.monotonicMs() - lookedAtMs < LOOK_EVERY_MS) return undefined;
      lookedAtMs = clock.monotonicMs();
      const found = await db
        .selectFrom('signing_keys')
        .selectAll()
        .where('id', '=', ROW)
        .where('revision', '!=', known)
        .executeTakeFirst();
      if (found === undefined) return undefined;
      const ring = open(found.sealed);
      known = Number(found.revision);
      return ring;
    },
  };
  return shelf;
}
