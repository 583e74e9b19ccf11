import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Sensitive, type ServiceDocument, sealedReferencesOf } from '@oakestra/contracts';
import { createManualClock, systemRandom } from '@oakestra/daemon';
import { createSealer } from '@oakestra/pki';
import type { Store } from '@oakestra/store';
import { openTestStore, recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditSchema, auditMigrations, openAuditJournal } from '../audit/index.ts';
import type { Caller } from '../identity/index.ts';
import { openSealedObjects } from './open-sealed-objects.ts';
import { type SealedObjectsSchema, sealedObjectsMigrations } from './schema.ts';
import type { SealedObjects } from './sealed-objects.ts';
import type { UsingService } from './use.ts';

const VALUE = 'correct-horse-battery-staple';
const keyOf = (byte: number) => new Sensitive<Uint8Array>(Buffer.alloc(32, byte));
const callerOf = (userId: string, organisationId: string): Caller => ({
  ...{ userId, userName: userId, organisationId, roles: [], isMember: true, isInRootOrganisation: false },
  ...{ scopes: undefined, address: '192.0.2.1' },
});
const [ann, bob] = [callerOf('ann', 'acme'), callerOf('bob', 'acme')];

type Schema = SealedObjectsSchema & AuditSchema;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<Schema>;
let objects: SealedObjects;
let services: UsingService[];
let logged: string[];
let logger: ReturnType<typeof recordingLogger>;

const open = async (...keys: Sensitive<Uint8Array>[]): Promise<SealedObjects> => {
  const shared = { store, clock: createManualClock(), random: systemRandom(), logger };
  return openSealedObjects({
    ...shared,
    audit: await openAuditJournal(shared),
    sealer: createSealer(keys),
    isShared: async (organisationId) => organisationId === 'acme',
    services: () => services,
  });
};

beforeEach(async () => {
  folder = await temporaryFolder();
  logged = [];
  logger = recordingLogger(({ message }) => void logged.push(message));
  services = [];
  const migrations = { ...sealedObjectsMigrations, ...auditMigrations };
  store = await openTestStore<Schema>(join(folder.path, 'root.db'), migrations);
  objects = await open(keyOf(1));
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const document = (fields: object): ServiceDocument =>
  ({ job_name: 'shop.prod.web.prod', image: 'nginx', ...fields }) as ServiceDocument;
const resolved = async (fields: object, scope = { ownerUserId: 'ann', organisationId: 'acme' }) => {
  const { documents, violations } = await objects.resolve([{ path: 'm', document: document(fields) }], scope);
  return {
    document: documents[0] as ServiceDocument,
    violations: violations.map(({ path, message }) => `${path} ${message}`),
  };
};
const textOf = async (id: string, version: number) =>
  Buffer.from((await objects.content(id, version)).reveal()).toString();

describe('what is stored', () => {
  it('is nowhere in the files of the store, nor in the audit journal', async () => {
    const secret = await objects.create({ kind: 'secret', name: 'db', text: VALUE }, ann);
    await objects.put(secret, { text: `${VALUE}-2` }, ann);
    expect(await textOf(secret.id, 2)).toBe(`${VALUE}-2`);
    await store.close();
    for (const name of ['root.db', 'root.db-wal']) {
      const bytes = await readFile(join(folder.path, name)).catch(() => Buffer.alloc(0));
      expect(bytes.includes(VALUE)).toBe(false);
      expect(bytes.includes(Buffer.from(VALUE).toString('base64').slice(0, 30))).toBe(false);
    }
    expect((await readFile(join(folder.path, 'root.db'))).includes('secret.change')).toBe(true);
  });

  it('opens only as what it was stored as', async () => {
    const [one, other] = [
      await objects.create({ kind: 'secret', name: 'a', text: 'one' }, ann),
      await objects.create({ kind: 'secret', name: 'b', text: 'other' }, ann),
    ];
    const { sealed } = await store.db
      .selectFrom('sealed_versions')
      .select('sealed')
      .where('object_id', '=', one.id)
      .executeTakeFirstOrThrow();
    const swap = store.db.updateTable('sealed_versions').set({ sealed }).where('object_id', '=', other.id);
    await store.commit([swap], { durability: 'normal' });
    expect(await textOf(one.id, 1)).toBe('one');
    await expect(textOf(other.id, 1)).rejects.toMatchObject({ code: 'seal-broken' });
  });

  it('is sealed anew with a new key, after which the old one may go', async () => {
    const { id } = await objects.create({ kind: 'secret', name: 'a', text: VALUE }, ann);
    objects = await open(keyOf(2), keyOf(1));
    objects = await open(keyOf(2));
    expect(await textOf(id, 1)).toBe(VALUE);
    objects = await open(keyOf(3));
    await expect(textOf(id, 1)).rejects.toMatchObject({ code: 'sealing-key-missing' });
    expect(logged.at(-1)).toContain('sealed with a key that is not here');
  });
});

describe('a secret or config', () => {
  it('has a name of its own, a size, and content that is text or base64', async () => {
    const create = (given: object) =>
      objects.create({ kind: 'secret', name: 'db', text: 'x', ...given }, ann);
    await create({});
    await expect(create({})).rejects.toMatchObject({ code: 'sealed-object-exists' });
    const wrong = [
      [{ name: 'no spaces' }, 'name: must be 1 to 63 letters'],
      [{ name: 'a'.repeat(24) }, 'name: must be 1 to 63 letters'],
      [{ text: undefined }, 'either as text or as base64'],
      [{ base64: 'eA==' }, 'either as text or as base64'],
      [{ text: undefined, base64: 'e A' }, 'is no base64'],
      [{ text: 'x'.repeat(65_537) }, 'has 65537 bytes; a secret has at most 65536 (64 KiB)'],
      [{ kind: 'config', text: 'x'.repeat(2 ** 20 + 1) }, 'a config has at most 1048576 (1024 KiB)'],
    ] as const;
    for (const [given, message] of wrong) {
      await expect(create({ name: 'other', ...given }), message).rejects.toThrow(message);
    }
    const bytes = Buffer.from([0, 255, 1]);
    const binary = await create({ name: 'bin', text: undefined, base64: bytes.toString('base64') });
    expect(Buffer.from((await objects.content(binary.id, 1)).reveal())).toEqual(bytes);
    expect(binary.versions[0]?.isText).toBe(false);
  });

  it('keeps ten versions and those in use, and lets only one of two writers win', async () => {
    const first = await objects.create({ kind: 'config', name: 'c', text: '1' }, ann);
    const references = [{ kind: 'config' as const, id: first.id, name: 'c', version: 2, file: '/c' }];
    services = [{ ...service({}), instances: [{ sealedReferences: references }] }];
    let now = first;
    for (let version = 2; version <= 14; version += 1)
      now = await objects.put(now, { text: `${version}` }, ann);
    expect(now.versions.map(({ version }) => version)).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 2]);
    expect(await textOf(now.id, 14)).toBe('14');
    await expect(objects.put(first, { text: 'late' }, ann)).rejects.toMatchObject({ code: 'revision-stale' });
  });

  it('stays while a service refers to it, and says which', async () => {
    const secret = await objects.create({ kind: 'secret', name: 'db', text: VALUE }, ann);
    const { document: using } = await resolved({ secrets: [{ secret: 'db', environment: 'DB' }] });
    services = [service(using)];
    await expect(objects.remove(secret, ann)).rejects.toMatchObject({
      code: 'sealed-object-used',
      message: expect.stringContaining('is used by shop.prod.web.prod'),
    });
    // A change that is under way may go back.
    services = [{ ...service({}), previousDocument: using }];
    await expect(objects.remove(secret, ann)).rejects.toMatchObject({ code: 'sealed-object-used' });
    services = [];
    await objects.remove(secret, ann);
    expect(await objects.find('secret', secret.id)).toBeUndefined();
    await expect(textOf(secret.id, 1)).rejects.toMatchObject({ code: 'sealed-version-not-found' });
  });

  const service = (fields: object): UsingService => ({
    ...{ document: document(fields), ownerUserId: 'ann', instances: [] },
  });
});

describe('references', () => {
  it('stand for own objects, then for those that the organisation shares, then for nothing', async () => {
    const own = await objects.create({ kind: 'secret', name: 'db', text: 'x' }, ann);
    await objects.create({ kind: 'secret', name: 'db', text: 'x' }, bob);
    const shared = await objects.create({ kind: 'config', name: 'conf', text: 'x' }, bob);
    await objects.create({ kind: 'secret', name: 'private', text: 'x' }, callerOf('ann', 'root'));
    const { document: using, violations } = await resolved({
      secrets: [{ secret: 'db', environment: 'DB' }],
      configs: [{ config: 'conf', file: '/etc/conf', mode: '0400' }],
    });
    expect(violations).toEqual([]);
    expect(sealedReferencesOf(using)).toEqual([
      { kind: 'secret', id: own.id, name: 'db', version: null, environment: 'DB' },
      { kind: 'config', id: shared.id, name: 'conf', version: null, file: '/etc/conf', mode: '0400' },
    ]);
    const { violations: refused } = await resolved({
      secrets: [
        { secret: 'private', environment: 'A' },
        { secret: 'conf', environment: 'B' },
        { secret: 'db', environment: 'C', version: 9 },
      ],
    });
    expect(refused).toEqual([
      'm.secrets[0].secret names the secret "private", which this application does not have; create it first',
      'm.secrets[1].secret names the secret "conf", which this application does not have; create it first',
      'm.secrets[2].version must be a version that is kept (1), not 9',
    ]);
    const elsewhere = await resolved(
      { configs: [{ config: shared.id, file: '/c' }] },
      { ownerUserId: 'ann', organisationId: 'root' },
    );
    expect(elsewhere.violations).toHaveLength(1);
  });

  it('of the same name in one organisation must be told apart', async () => {
    const ids = [];
    for (const owner of ['bob', 'eve']) {
      ids.push((await objects.create({ kind: 'secret', name: 'db', text: 'x' }, callerOf(owner, 'acme'))).id);
    }
    const using = (secret: string) => resolved({ secrets: [{ secret, environment: 'DB' }] });
    expect((await using('db')).violations[0]).toContain('name one by its id');
    expect((await using(ids[1] ?? '')).violations).toEqual([]);
  });

  it('to what is no text, or too long, cannot be variables, and all together have a limit', async () => {
    await objects.create({ kind: 'secret', name: 'bin', base64: 'AP8=' }, ann);
    await objects.create({ kind: 'config', name: 'long', text: 'x'.repeat(2 ** 20) }, ann);
    const { violations } = await resolved({
      secrets: [{ secret: 'bin', environment: 'A' }],
      configs: ['/1', '/2', '/3'].map((file) => ({ config: 'long', file })),
    });
    expect(violations).toEqual([
      'm.secrets[0].environment cannot be: the secret "bin" is no text; take a file',
      'm gets 3145730 bytes of secrets and configs, at most 2097152 are possible',
    ]);
    const asVariable = await resolved({ configs: [{ config: 'long', environment: 'A' }] });
    expect(asVariable.violations[0]).toContain('has more than 64 KiB; take a file');
  });

  it('say the version of the moment when an instance is deployed', async () => {
    const secret = await objects.create({ kind: 'secret', name: 'db', text: '1' }, ann);
    const fields = {
      secrets: [
        { secret: 'db', environment: 'A' },
        { secret: 'db', environment: 'B', version: 1 },
      ],
    };
    const { document: using } = await resolved(fields);
    const versions = () =>
      sealedReferencesOf(objects.pinned({ document: using, ownerUserId: 'ann' })).map(
        ({ version }) => version,
      );
    expect(versions()).toEqual([1, 1]);
    await objects.put(secret, { text: '2' }, ann);
    expect(versions()).toEqual([2, 1]);
  });

  it('mean the object of the same name after the root lost its store', async () => {
    const { document: using } = await resolved({});
    const lost = {
      ...using,
      sealed_objects: [{ kind: 'secret', id: 'f'.repeat(24), name: 'db', version: null, file: '/s' }],
    };
    expect(sealedReferencesOf(objects.pinned({ document: lost, ownerUserId: 'ann' }))[0]?.version).toBeNull();
    const { id } = await objects.create({ kind: 'secret', name: 'db', text: '1' }, ann);
    const [reference] = sealedReferencesOf(objects.pinned({ document: lost, ownerUserId: 'ann' }));
    expect([reference?.id, reference?.version]).toEqual([id, 1]);
  });
});
