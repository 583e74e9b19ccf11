import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { createLogger, createManualClock, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AddressesSchema, addressesMigrations, openAddresses } from '../addresses/index.ts';
import type { Deployments } from '../deployments/index.ts';
import { createFakeDeployments, type FakeDeployments } from './fake-deployments.ts';
import {
  type Applications,
  type ApplicationsSchema,
  applicationsMigrations,
  openApplications,
} from './index.ts';

const alice = 'a'.repeat(24);
const bob = 'b'.repeat(24);
const admin = 'c'.repeat(24);
const users = [
  { id: alice, name: 'alice', email: '', createdAtMs: 0 },
  { id: bob, name: 'bob', email: '', createdAtMs: 0 },
  { id: admin, name: 'Admin', email: '', createdAtMs: 0 },
];

const microservice = (name: string, fields: object = {}) => ({
  microservice_name: name,
  microservice_namespace: 'test',
  virtualization: 'container',
  code: 'nginx',
  ...fields,
});
const application = (name: string, services: readonly object[], fields: object = {}) => ({
  application_name: name,
  application_namespace: 'test',
  microservices: services,
  ...fields,
});
const sla = (...applications: object[]) => ({ sla_version: 'v2.0', customerID: 'x', applications });
const shop = sla(application('shop', [microservice('web'), microservice('db')]));

let folder: string;
let store: Store<ApplicationsSchema & AddressesSchema>;
let deployments: FakeDeployments;
const clock = createManualClock();
const logger = createLogger({ output: { write: () => undefined } });

const open = async (
  parts: { deployments?: Deployments; store?: Store<ApplicationsSchema & AddressesSchema> } = {},
) =>
  openApplications({
    store,
    addresses: await openAddresses({ store: parts.store ?? store, clock, logger }),
    deployments,
    identity: { users: async () => users },
    clock,
    random: systemRandom(),
    logger,
    ...parts,
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-applications-'));
  const path = join(folder, 'root.db');
  const random = systemRandom();
  const migrations = { ...applicationsMigrations, ...addressesMigrations };
  store = await openSqliteStore({ path, migrations, logger, clock, random });
});

beforeEach(async () => {
  const { db } = store;
  await store.commit([db.deleteFrom('applications'), db.deleteFrom('addresses')], { durability: 'normal' });
  deployments = createFakeDeployments();
});

afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const jobNames = () => deployments.services().map(({ document }) => document.job_name);
const names = async (applications: Applications, owner = alice) =>
  (await applications.ownedBy(owner)).map(({ name }) => name);

describe('a submission', () => {
  it('creates applications with their services, listed in the order of creation', async () => {
    const applications = await open();
    const [created] = await applications.submit({ sla: shop, ownerUserId: alice });
    const more = sla(
      application('a', [], { own: 1, application_desc: 'demo', action: 'x' }),
      application('b', []),
    );
    await applications.submit({ sla: more, ownerUserId: alice });
    expect(jobNames()).toEqual(['shop.test.web.test', 'shop.test.db.test']);
    expect(await names(applications)).toEqual(['shop', 'a', 'b']);
    expect(created?.serviceIds).toEqual(deployments.services().map(({ id }) => id));
    expect(deployments.services().map(({ document }) => document.applicationID)).toEqual([
      created?.id,
      created?.id,
    ]);
    expect(deployments.services()[0]?.ownerUserId).toBe(alice);
    expect((await applications.ownedBy(alice))[1]).toMatchObject({
      description: 'demo',
      document: { own: 1, application_name: 'a' },
    });
    expect((await applications.ownedBy(alice))[1]?.document).not.toHaveProperty('action');
    expect(await applications.ownedBy(bob)).toEqual([]);
  });

  it('survives a restart', async () => {
    const [created] = await (await open()).submit({ sla: shop, ownerUserId: alice });
    const reopened = await open();
    expect(await reopened.application(created?.id ?? '')).toEqual(created);
    await reopened.submit({ sla: sla(application('later', [])), ownerUserId: alice });
    expect(await names(reopened)).toEqual(['shop', 'later']);
  });

  it('that is invalid says everything and creates nothing', async () => {
    const applications = await open();
    const bad = sla(application('good', []), application('b-d', [microservice('web', { memory: 'x' })]));
    await expect(applications.submit({ sla: bad, ownerUserId: alice })).rejects.toMatchObject({
      kind: 'invalid',
      code: 'sla-invalid',
      violations: [
        { path: 'applications[1].application_name' },
        { path: 'applications[1].microservices[0].memory' },
      ],
    });
    expect(await applications.all()).toEqual([]);
  });

  it('needs a name that its owner has not used, and full service names that nobody has (Q22, Q27)', async () => {
    const applications = await open();
    await applications.submit({ sla: shop, ownerUserId: alice });
    const again = sla(application('new', []), application('shop', []));
    await expect(applications.submit({ sla: again, ownerUserId: alice })).rejects.toMatchObject({
      kind: 'conflict',
      code: 'application-exists',
      violations: [{ path: 'applications[1].application_name' }],
    });
    await expect(applications.submit({ sla: shop, ownerUserId: bob })).rejects.toMatchObject({
      kind: 'conflict',
      code: 'service-exists',
      violations: [
        { path: 'applications[0].microservices[0].microservice_name' },
        { path: 'applications[0].microservices[1].microservice_name' },
      ],
    });
    const other = sla(application('shop', [microservice('other')]));
    await applications.submit({ sla: other, ownerUserId: bob });
    expect(await names(applications)).toEqual(['shop']);
    expect(await names(applications, bob)).toEqual(['shop']);
  });

  it('cannot take the service address of another service (Q23)', async () => {
    const applications = await open();
    const wish = { addresses: { rr_ip: '10.30.30.30' } };
    await applications.submit({ sla: sla(application('a', [microservice('s', wish)])), ownerUserId: alice });
    const second = sla(application('b', [microservice('s', wish)]));
    await expect(applications.submit({ sla: second, ownerUserId: bob })).rejects.toMatchObject({
      kind: 'conflict',
      violations: [{ path: 'applications[0].microservices[0].addresses.rr_ip' }],
    });
  });

  it('leaves nothing when one of its services is refused', async () => {
    const applications = await open();
    const error = new OakestraError('unavailable', 'store-io-failed', 'The disk failed.');
    deployments.refuse('shop.test.db.test', error);
    await expect(applications.submit({ sla: shop, ownerUserId: alice })).rejects.toBe(error);
    expect(jobNames()).toEqual([]);
    expect(await applications.all()).toEqual([]);
    await applications.submit({ sla: shop, ownerUserId: alice });
    expect(jobNames()).toHaveLength(2);
  });

  it('wins once when it is sent many times at the same moment', async () => {
    const applications = await open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        applications.submit({ sla: shop, ownerUserId: index % 2 === 0 ? alice : bob }),
      ),
    );
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    for (const reason of refused) expect(reason).toMatchObject({ kind: 'conflict' });
    // Two owners may both have lost to each other, but never both have won.
    expect(outcomes.length - refused.length).toBeLessThanOrEqual(1);
    expect(await applications.all()).toHaveLength(outcomes.length - refused.length);
    expect(jobNames()).toHaveLength(2 * (outcomes.length - refused.length));
  });
});

describe('services that are added later', () => {
  const extension = (id: string, ...services: object[]) =>
    sla(application('ignored', services, { applicationID: id }));

  it('carry the names of their application', async () => {
    const applications = await open();
    const [created] = await applications.submit({ sla: shop, ownerUserId: alice });
    const id = created?.id ?? '';
    const added = await applications.addServices({
      sla: extension(id, microservice('cache')),
      ownerUserId: alice,
    });
    expect(added.map(({ document }) => document.job_name)).toEqual(['shop.test.cache.test']);
    const view = await applications.application(id);
    expect(view?.serviceIds).toEqual([...(created?.serviceIds ?? []), added[0]?.id]);
  });

  it('need an application of the same owner, and free names', async () => {
    const applications = await open();
    const [created] = await applications.submit({ sla: shop, ownerUserId: alice });
    const id = created?.id ?? '';
    const cache = extension(id, microservice('cache'));
    const missing = { kind: 'not-found', code: 'application-not-found' };
    await expect(applications.addServices({ sla: cache, ownerUserId: bob })).rejects.toMatchObject(missing);
    await expect(
      applications.addServices({ sla: extension('f'.repeat(24), microservice('x')), ownerUserId: alice }),
    ).rejects.toMatchObject(missing);
    await expect(applications.addServices({ sla: shop, ownerUserId: alice })).rejects.toMatchObject(missing);
    await expect(applications.addServices({ sla: sla(), ownerUserId: alice })).rejects.toMatchObject({
      code: 'sla-invalid',
    });
    await expect(
      applications.addServices({
        sla: extension(id, microservice('new'), microservice('web')),
        ownerUserId: alice,
      }),
    ).rejects.toMatchObject({ kind: 'conflict' });
    expect(jobNames()).toHaveLength(2);
  });

  it('do not get lost when several are added at once', async () => {
    const applications = await open();
    const [created] = await applications.submit({ sla: shop, ownerUserId: alice });
    const id = created?.id ?? '';
    await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        applications.addServices({ sla: extension(id, microservice(name)), ownerUserId: alice }),
      ),
    );
    expect((await applications.application(id))?.serviceIds).toHaveLength(5);
  });
});

describe('removal', () => {
  it('takes the services along and frees the names', async () => {
    const applications = await open();
    const [created] = await applications.submit({ sla: shop, ownerUserId: alice });
    await applications.remove(created?.id ?? '');
    expect(jobNames()).toEqual([]);
    expect(await applications.all()).toEqual([]);
    await expect(applications.remove(created?.id ?? '')).rejects.toMatchObject({ kind: 'not-found' });
    await applications.submit({ sla: shop, ownerUserId: bob });
  });
});

/** Lets the first `steps` writes happen; then the process is gone: nothing answers any more. */
function untilCrash(steps: number) {
  let left = steps;
  const never = new Promise<never>(() => {});
  let reached = () => {};
  const crashed = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const guarded =
    <Arguments extends unknown[]>(write: (...args: Arguments) => Promise<void>) =>
    async (...args: Arguments): Promise<void> => {
      if (left > 0) {
        left -= 1;
        await write(...args);
        if (left > 0) return;
      }
      reached();
      return never;
    };
  return {
    crashed,
    store: { ...store, db: store.db, commit: guarded(store.commit) } as Store<
      ApplicationsSchema & AddressesSchema
    >,
    deployments: {
      ...deployments,
      registerService: guarded(deployments.registerService),
      removeService: guarded(deployments.removeService),
    },
  };
}

describe('the addresses of services', () => {
  const addressesOf = (name: string) => {
    const document = deployments.serviceByJobName(`shop.test.${name}.test`)?.document;
    return [document?.RR_ip, document?.RR_ip_v6];
  };
  const held = async () =>
    (await store.db.selectFrom('addresses').select('owner').where('owner', '!=', '').execute()).length;
  const wishing = (address: string) =>
    sla(application('shop', [microservice('web', { addresses: { rr_ip: address } }), microservice('db')]));

  it('are in their documents, wished or not (Q29)', async () => {
    await (await open()).submit({ sla: wishing('10.30.7.7'), ownerUserId: alice });
    expect(addressesOf('web')).toEqual(['10.30.7.7', expect.stringMatching(/^fdff:/)]);
    expect(addressesOf('db')).toEqual([expect.stringMatching(/^10\.30\./), expect.stringMatching(/^fdff:/)]);
    expect(await held()).toBe(4);
  });

  it('belong to one service, or nothing is stored', async () => {
    const applications = await open();
    await applications.submit({ sla: wishing('10.30.7.7'), ownerUserId: alice });
    const other = sla(application('other', [microservice('x', { addresses: { rr_ip: '10.30.7.7' } })]));
    await expect(applications.submit({ sla: other, ownerUserId: bob })).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('10.30.7.7'),
    });
    expect(await names(applications, bob)).toEqual([]);
    expect(await held()).toBe(4);
  });

  it('are given back with a service and with an application', async () => {
    const applications = await open();
    const [created] = await applications.submit({ sla: shop, ownerUserId: alice });
    await applications.removeService(created?.serviceIds[0] ?? '');
    expect(await held()).toBe(2);
    await applications.remove(created?.id ?? '');
    expect(await held()).toBe(0);
  });

  it('that a crash left are given back at the next start', async () => {
    const [created] = await (await open()).submit({ sla: shop, ownerUserId: alice });
    await deployments.removeService(created?.serviceIds[0] ?? '');
    await open();
    expect(await held()).toBe(2);
  });
});

describe('a crash', () => {
  it.each([0, 1, 2, 3, 4])('after write %i of a submission ends with all of it or nothing', async (steps) => {
    const crash = untilCrash(steps);
    const applications = await open(crash);
    let isAnswered = false;
    void applications.submit({ sla: shop, ownerUserId: alice }).then(() => {
      isAnswered = true;
    });
    await crash.crashed;
    await new Promise(setImmediate);
    expect(isAnswered).toBe(false);
    const reopened = await open();
    const found = await reopened.all();
    expect(found.map(({ serviceIds }) => serviceIds.length)).toEqual(steps === 0 ? [] : [2]);
    expect(jobNames()).toHaveLength(steps === 0 ? 0 : 2);
    // Forward only: after a restore the services may be in use below.
    expect(deployments.removed).toEqual([]);
  });

  it.each([1, 2, 3])('after write %i of a removal ends with the removal', async (steps) => {
    const [created] = await (await open()).submit({ sla: shop, ownerUserId: alice });
    const crash = untilCrash(steps);
    void (await open(crash)).remove(created?.id ?? '');
    await crash.crashed;
    const reopened = await open();
    expect(await reopened.all()).toEqual([]);
    expect(jobNames()).toEqual([]);
  });

  it.each([1, 2, 3, 4])('after write %i of an extension ends with all of it', async (steps) => {
    const [created] = await (await open()).submit({ sla: shop, ownerUserId: alice });
    const id = created?.id ?? '';
    const crash = untilCrash(steps);
    const more = application('shop', [microservice('x'), microservice('y')], { applicationID: id });
    void (await open(crash)).addServices({ sla: sla(more), ownerUserId: alice });
    await crash.crashed;
    const view = await (await open()).application(id);
    expect(view?.serviceIds).toHaveLength(4);
    expect(deployments.removed).toEqual([]);
  });

  it('does not hand a name to two services', async () => {
    const crash = untilCrash(1);
    void (await open(crash)).submit({ sla: shop, ownerUserId: alice });
    await crash.crashed;
    const document = {
      ...{ microserviceID: 'd'.repeat(24), applicationID: 'e'.repeat(24), job_name: 'shop.test.web.test' },
      ...{ app_name: 'shop', app_ns: 'test', service_name: 'web', service_ns: 'test' },
      ...{ virtualization: 'docker', image: 'nginx', code: 'nginx' },
    };
    await deployments.registerService({ id: document.microserviceID, ownerUserId: bob, document });
    const reopened = await open();
    expect(jobNames().sort()).toEqual(['shop.test.db.test', 'shop.test.web.test']);
    expect((await reopened.ownedBy(alice))[0]?.serviceIds).toHaveLength(1);
  });
});

describe('a service that a cluster runs and this root does not know', () => {
  const documentOf = (name: string, applicationID: string) => ({
    ...{
      microserviceID: `${name.repeat(24)}`.slice(0, 24),
      applicationID,
      job_name: `shop.test.${name}.test`,
    },
    ...{ app_name: 'shop', app_ns: 'test', service_name: name, service_ns: 'test' },
    ...{ virtualization: 'docker', image: 'nginx', code: 'nginx' },
  });
  const oldId = '9'.repeat(24);
  const adopt = async (applications: Applications, name: string, reportedOwner: string) => {
    const document = documentOf(name, oldId);
    const { ownerUserId } = await applications.adoptFromBelow({ document, ownerUserId: reportedOwner });
    await deployments.registerService({ id: document.microserviceID, ownerUserId, document });
    return ownerUserId;
  };

  it('gets its application back, once for all its services', async () => {
    const applications = await open();
    expect(await Promise.all(['a', 'b'].map((name) => adopt(applications, name, alice)))).toEqual([
      alice,
      alice,
    ]);
    await applications.adoptFromBelow({ document: documentOf('a', oldId), ownerUserId: bob });
    expect(await applications.all()).toMatchObject([
      {
        id: oldId,
        name: 'shop',
        namespace: 'test',
        ownerUserId: alice,
        serviceIds: ['a'.repeat(24), 'b'.repeat(24)],
      },
    ]);
  });

  it('belongs to the administrator when its owner is lost too', async () => {
    const applications = await open();
    expect(await adopt(applications, 'a', 'f'.repeat(24))).toBe(admin);
    expect(await names(applications, admin)).toEqual(['shop']);
  });

  it('that lost its application to a crash gets it at the next start', async () => {
    const applications = await open();
    await adopt(applications, 'a', alice);
    for (const name of ['b', 'c']) {
      const document = documentOf(name, oldId);
      await deployments.registerService({ id: document.microserviceID, ownerUserId: alice, document });
    }
    expect(await (await open()).ownedBy(alice)).toMatchObject([
      { id: oldId, serviceIds: ['a', 'b', 'c'].map((name) => name.repeat(24)) },
    ]);
  });

  it('is shown beside a younger application of the same name', async () => {
    const applications = await open();
    await applications.submit({ sla: shop, ownerUserId: alice });
    await adopt(applications, 'a', alice);
    expect(await names(applications)).toEqual(['shop', 'shop']);
    await applications.remove(oldId);
    expect(jobNames()).toEqual(['shop.test.web.test', 'shop.test.db.test']);
  });
});
