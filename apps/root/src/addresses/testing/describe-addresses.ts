import { createManualClock } from '@oakestra/daemon';
import type { Migrations, Store } from '@oakestra/store';
import { createFaultyStore, recordingLogger } from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Addresses,
  type AddressesSchema,
  addressesMigrations,
  addressOwner,
  openAddresses,
  pairOf,
} from '../index.ts';

interface Schema extends AddressesSchema {
  services: { id: string; document: string };
}

/** An empty database of its own; `close` ends everything that it needs. */
export interface AddressesHarness {
  open(migrations: Migrations): Promise<Store<Schema>>;
  close(): Promise<void>;
}

const QUARANTINE_MS = 60_000;
const a = addressOwner.service('a');
const b = addressOwner.service('b');
const service = (owner: string, v4?: string) => ({ kind: 'service' as const, owner, wish: { v4 } });

/** What the room does over every store. */
export function describeAddresses(name: string, createHarness: () => Promise<AddressesHarness>): void {
  describe(`addresses over ${name}`, () => {
    let harness: AddressesHarness;
    let store: Store<Schema>;
    let addresses: Addresses;
    const clock = createManualClock();
    const logger = recordingLogger();
    const open = (from: Store<Schema> = store) =>
      openAddresses({ store: from, clock, logger, quarantineMs: QUARANTINE_MS });
    /** The caller's own change. */
    const row = (id: string, document = '{}') => store.db.insertInto('services').values({ id, document });
    const ids = async () =>
      (await store.db.selectFrom('services').select('id').execute()).map(({ id }) => id);

    beforeEach(async () => {
      harness = await createHarness();
      store = await harness.open({
        ...addressesMigrations,
        '0004-services': {
          up: async (db) =>
            db.schema
              .createTable('services')
              .addColumn('id', 'text', (column) => column.primaryKey())
              .addColumn('document', 'text', (column) => column.notNull())
              .execute(),
        },
      });
      addresses = await open();
    });

    afterEach(async () => {
      await store.close();
      await harness.close();
    });

    it('are stored with the change that they are for, and known again after a restart', async () => {
      const pairs = await addresses.commit({ allocate: [service(a)] }, (given) => [
        row('a', JSON.stringify(pairOf(given, a))),
      ]);
      const pair = { v4: '10.30.0.0', v6: 'fdff:2000::' };
      expect(pairOf(pairs, a)).toEqual(pair);
      const stored = await store.db.selectFrom('services').select('document').executeTakeFirstOrThrow();
      expect(JSON.parse(stored.document)).toEqual(pair);
      const again = await open();
      expect(again.pairOf(a)).toEqual(pair);
      expect(again.reserve({ allocate: [service(b)] }).pairs.get(b)?.v4).toBe('10.30.0.1');
    });

    it('are given to nobody when the change is refused', async () => {
      await store.commit([row('a')], { durability: 'full' });
      await expect(addresses.commit({ allocate: [service(a)] }, () => [row('a')])).rejects.toMatchObject({
        code: 'store-constraint',
      });
      expect(addresses.pairOf(a)).toBeUndefined();
      expect((await open()).pairOf(a)).toBeUndefined();
      expect(await store.db.selectFrom('addresses').selectAll().execute()).toEqual([]);
    });

    it('are all different, however many ask at once and whoever of them fails', async () => {
      await store.commit([row('3'), row('7')], { durability: 'full' });
      const owners = Array.from({ length: 20 }, (_, index) => String(index));
      const outcomes = await Promise.allSettled(
        owners.map((owner) => addresses.commit({ allocate: [service(owner)] }, () => [row(owner)])),
      );
      expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2);
      for (const known of [addresses, await open()]) {
        const given = owners.flatMap((owner) => known.pairOf(owner)?.v4 ?? []);
        expect([given.length, new Set(given).size]).toEqual([18, 18]);
      }
    });

    it('come for a whole order or not at all', () => {
      addresses.reserve({ allocate: [service(b, '10.30.7.7')] });
      const order = { allocate: [service(a), service('c', '10.30.7.7')], release: [b] };
      // Released first, so the address is free for the wish.
      addresses.reserve(order);
      expect([addresses.pairOf('c')?.v4, addresses.pairOf(b)]).toEqual(['10.30.7.7', undefined]);
      const impossible = { allocate: [service('d'), service('e', '10.30.7.7')], release: [a] };
      expect(() => addresses.reserve(impossible)).toThrow('belongs to c already');
      expect(addresses.pairOf('d')).toBeUndefined();
      expect(addresses.pairOf(a)?.v4).toBe('10.30.0.0');
    });

    it('come back after their quarantine, also over a restart', async () => {
      await addresses.commit({ allocate: [service(a)] }, () => []);
      await addresses.commit({ release: [a] }, () => []);
      await clock.advance(QUARANTINE_MS - 1);
      addresses = await open();
      const early = addresses.reserve({ allocate: [service(b)] });
      expect(early.pairs.get(b)?.v4).toBe('10.30.0.1');
      early.undo();
      await clock.advance(1);
      expect(addresses.reserve({ allocate: [service(b)] }).pairs.get(b)?.v4).toBe('10.30.0.0');
    });

    it('that another process took meanwhile are decided once more', async () => {
      const other = await open();
      await other.commit({ allocate: [service(a)] }, () => [row('a')]);
      const pairs = await addresses.commit({ allocate: [service(b)] }, () => [row('b')]);
      expect(pairs.get(b)?.v4).toBe('10.30.0.1');
      expect((await ids()).sort()).toEqual(['a', 'b']);
    });

    it('of a batch that the caller commits by itself are guarded too', async () => {
      const { statements } = (await open()).reserve({ allocate: [service(a)] });
      const later = addresses.reserve({ allocate: [service(b)] });
      await store.commit(statements, { durability: 'full' });
      await expect(
        store.commit([row('b'), ...later.statements], { durability: 'full' }),
      ).rejects.toMatchObject({
        code: 'store-expectation',
      });
      expect(await ids()).toEqual([]);
      later.undo();
      expect(addresses.pairOf(b)).toBeUndefined();
    });

    it('are not lost to a disk that is full for a while', async () => {
      const faulty = createFaultyStore(store);
      addresses = await open(faulty.store);
      faulty.setFull(true);
      await expect(addresses.commit({ allocate: [service(a)] }, () => [])).rejects.toMatchObject({
        code: 'store-disk-full',
      });
      faulty.setFull(false);
      expect(addresses.pairOf(a)).toBeUndefined();
      await addresses.commit({ allocate: [service(a)] }, () => []);
      expect((await open()).pairOf(a)).toEqual(addresses.pairOf(a));
    });
  });
}
