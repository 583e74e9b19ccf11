import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import { createManualClock, type Random, systemDisk, systemRandom } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { openTestStore, recordingLogger, temporaryFolder, testClock } from '@oakestra/store/testing';
import { openAddresses } from '../addresses/index.ts';
import { openApplications } from '../applications/index.ts';
import { openAuditJournal } from '../audit/index.ts';
import { openEventJournal } from '../events/index.ts';
import { openFleet } from '../fleet/index.ts';
import { type Caller, type OrganisationMember, openIdentity } from '../identity/index.ts';
import { rootMigrations } from '../root-store.ts';
import {
  createFakeClusters,
  createFakeDeployments,
  createFakeLegacyClusters,
  openTestSealedObjects,
  reportWorkers,
  WORKER,
  WORKER_ID,
} from '../testing/index.ts';
import type { Relation } from './columns.ts';
import { type Column, GROUPS, PEOPLE, type PersonName } from './columns.ts';
import { counting, type RootSchema, snapshotOf } from './snapshot.ts';

/** What a request is about. */
export interface Target {
  readonly user: { readonly id: string; readonly name: string; readonly tokenId: string };
  readonly organisation: {
    readonly id: string;
    readonly name: string;
    readonly members: readonly { readonly user_id: string; readonly roles: readonly string[] }[];
  };
  readonly application: { readonly id: string; readonly name: string; readonly serviceId: string };
  readonly secretId: string;
  readonly configId: string;
}

export interface Credentials {
  readonly access?: string;
  readonly refresh?: string;
}

export type World = Awaited<ReturnType<typeof createWorld>>;

export const PASSWORD = 'correct horse';
export const CLUSTER_ID = '6b02a0761c5b34961e7f558b';
/** The detail of the newest event, which everybody sees. */
export const LAST_EVENT = 'the last event';

const ADDRESS = '198.51.100.7';
const cluster = {
  ...{ id: CLUSTER_ID, name: 'c1', location: '48.1,11.6,1000', address: '192.0.2.7', port: 10_100 },
  ...{ isActive: true, activeWorkers: 2, vcpus: 8, memoryMib: 16_000, cpuPercent: 12.5, memoryPercent: 30 },
  ...{ virtualization: ['docker'], labels: {}, setLabels: {}, lastSeenAtMs: 1_795_334_263_360 },
  ...{ availability: 'open' as const, instanceCount: 3 },
};
const service = { microservice_namespace: 'test', virtualization: 'container', code: 'nginx' };
export const newService = { ...service, microservice_name: 'new' };
export const changedService = { ...service, microservice_name: 'web', memory: 17 };

export function slaOf(name: string, fields: object = {}) {
  const microservices = [{ ...service, microservice_name: 'web' }];
  const application = { application_name: name, application_namespace: 'test', microservices, ...fields };
  return { sla_version: 'v2.0', customerID: 'x', applications: [application] };
}

export interface WorldOptions {
  /** An empty store with all tables; default: a new SQLite file. */
  readonly open?: () => Promise<Store<RootSchema>>;
  readonly random?: Random;
}

/** Everybody of the tables, each with an application, a service, an instance and a personal access token. */
export async function createWorld(options: WorldOptions = {}) {
  const folder = await temporaryFolder();
  const opened = await (options.open?.() ??
    openTestStore<RootSchema>(join(folder.path, 'root.db'), rootMigrations));
  const { store, changes } = counting(opened);
  // Stands still, so that logins last as long as the test.
  const clock = createManualClock();
  const { random = systemRandom() } = options;
  const logger = recordingLogger();
  const shared = { store, clock, random, logger };
  const audit = await openAuditJournal(shared);
  const fleet = await openFleet({ ...shared, send: () => {} });
  reportWorkers(fleet, CLUSTER_ID, { [WORKER_ID]: WORKER });
  const identity = await openIdentity({
    ...{ ...shared, audit, disk: systemDisk(), stateDir: folder.path },
    adminPassword: new Sensitive(PASSWORD),
  });
  const deployments = createFakeDeployments(CLUSTER_ID);
  const clusters = createFakeClusters([cluster]);
  const addresses = await openAddresses(shared);
  const sealedObjects = await openTestSealedObjects({ ...shared, audit, deployments });
  const applications = await openApplications({ ...shared, addresses, identity, deployments });
  const events = await openEventJournal({ store, clock: { ...testClock, nowMs: clock.nowMs }, logger });

  const login = (userName: string, organisation: string) =>
    identity.login({ userName, organisation, password: PASSWORD, address: ADDRESS });
  const callerOf = async (token: string): Promise<Caller> => ({
    ...(await identity.authenticate(token)),
    address: ADDRESS,
  });

  const admin = await callerOf((await login('Admin', 'root')).accessToken);
  for (const name of ['acme', 'other']) await identity.organisations.create({ name, members: [] }, admin);
  const targets = new Map<string, Target>();
  const credentials = new Map<string, Credentials>([['nobody', {}]]);
  for (const [name, { organisation, roles }] of Object.entries(PEOPLE)) {
    if (name !== 'Admin') {
      const email = `${name}@example.org`;
      await identity.createUser({ name, email, password: PASSWORD, organisation, roles });
    }
    const { accessToken: access, refreshToken: refresh } = await login(name, organisation);
    const caller = await callerOf(access);
    credentials.set(name, { access, refresh });
    for (const column of GROUPS.flat()) {
      if (column.user !== name || column.scope === undefined) continue;
      const token = { name: column.scope, scopes: [column.scope] };
      credentials.set(column.name, { access: (await identity.personalTokens.create(token, caller)).token });
    }
    targets.set(name, await targetOf(caller));
  }
  const named = new Map(
    (await identity.organisations.all()).map((organisation) => [organisation.id, organisation]),
  );
  for (const [name, target] of targets) {
    const { id, name: organisation, members } = named.get(target.organisation.id) ?? missing(name);
    targets.set(name, {
      ...target,
      organisation: { id, name: organisation, members: members.map(memberOf) },
    });
  }
  events.add({ kind: 'instance-changed', ownerUserId: '', detail: LAST_EVENT });
  const saved = { rows: await snapshotOf(store), services: [...deployments.services()] };
  const servicesText = JSON.stringify(saved.services);
  let changesSeen = changes();

  async function targetOf(caller: Caller): Promise<Target> {
    const { userId: ownerUserId, userName, organisationId } = caller;
    const name = `of${userName.replace('-', '')}`;
    const [submitted] = await applications.submit({ sla: slaOf(name), ownerUserId, organisationId });
    const serviceId = submitted?.serviceIds[0] ?? missing(name);
    await deployments.requestInstance(serviceId);
    events.add({
      kind: 'instance-changed',
      ...{ ownerUserId, organisationId, serviceId },
      number: 0,
      detail: name,
    });
    const { id: tokenId } = await identity.personalTokens.create({ name: 'spare', scopes: ['read'] }, caller);
    return {
      user: { id: ownerUserId, name: userName, tokenId },
      organisation: { id: organisationId, name: '', members: [] },
      application: { id: submitted?.id ?? missing(name), name, serviceId },
      secretId: (await sealedObjects.create({ kind: 'secret', name, text: 'x' }, caller)).id,
      configId: (await sealedObjects.create({ kind: 'config', name, text: 'x' }, caller)).id,
    };
  }

  return {
    ...{ store, clock, logger, audit, identity, deployments, applications, sealedObjects, events, fleet },
    clusters,
    legacyClusters: createFakeLegacyClusters(CLUSTER_ID),
    isLegacyAddress: () => false,
    credentialsOf: ({ name }: Column): Credentials => credentials.get(name) ?? missing(name),
    /** For nobody, everything is foreign. */
    targetFor({ user }: Column, relation: Relation): Target {
      const owner = ownerOf(user as PersonName | undefined, relation);
      return targets.get(owner) ?? missing(owner);
    },
    /** Takes back what a request has changed. */
    async reset(): Promise<void> {
      await saved.rows.restore();
      changesSeen = changes();
      await clusters.setAvailability(CLUSTER_ID, 'open');
      deployments.clear();
      for (const { id, ownerUserId, document } of saved.services) {
        await deployments.registerService({ id, ownerUserId, document });
        await deployments.requestInstance(id);
      }
      // What the root remembers for a second of who may do what.
      await clock.advance(1001);
    },
    /** Whether requests that were refused have changed nothing. */
    async isUntouched(): Promise<boolean> {
      if (JSON.stringify(deployments.services()) !== servicesText) return false;
      const seen = changes();
      const isCurrent = seen === changesSeen || (await saved.rows.isCurrent());
      if (isCurrent) changesSeen = seen;
      return isCurrent;
    },
    async close(): Promise<void> {
      await events.stop();
      await identity.stop();
      await audit.settled();
      await store.close();
      await folder.remove();
    },
  };
}

function ownerOf(user: PersonName | undefined, relation: Relation): PersonName {
  if (user === undefined || relation === 'foreign') return 'stranger';
  if (relation !== 'shared') return user;
  return PEOPLE[user].organisation === 'root' ? 'root-mate' : 'acme-mate';
}

const memberOf = ({ userId, roles }: OrganisationMember) => ({ user_id: userId, roles });

function missing(name: string): never {
  throw new Error(`the world of the tables has no ${name}`);
}
