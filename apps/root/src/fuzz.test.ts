import { connect } from 'node:net';
import { Sensitive } from '@oakestra/contracts';
import { API_BASE, type Endpoint, endpoints, problemSchema, statusOf } from '@oakestra/contracts/api';
import { type Clock, createLogger, systemClock, systemDisk, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { temporaryFolder } from '@oakestra/store/testing';
import fc from 'fast-check';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AddressesSchema, addressesMigrations, openAddresses } from './addresses/index.ts';
import {
  apiFace,
  createIdempotencyKeys,
  type IdempotencySchema,
  idempotencyMigrations,
} from './api/index.ts';
import { type ApplicationsSchema, applicationsMigrations, openApplications } from './applications/index.ts';
import { type AuditSchema, auditMigrations, openAuditJournal } from './audit/index.ts';
import { openRootCertificates } from './certificates.ts';
import { classicDocsFace, classicFace, classicRoutes, sendClassicError } from './classic/index.ts';
import { type EventJournal, type EventsSchema, eventsMigrations, openEventJournal } from './events/index.ts';
import { type FleetSchema, fleetMigrations, openFleet } from './fleet/index.ts';
import { createDualServer, createHttpApp, plainHttpPolicy } from './http/index.ts';
import { type Identity, type IdentitySchema, identityMigrations, openIdentity } from './identity/index.ts';
import { type SealedObjectsSchema, sealedObjectsMigrations } from './sealed-objects/index.ts';
import {
  createFakeClusters,
  createFakeDeployments,
  createFakeLegacyClusters,
  openTestSealedObjects,
  reportWorkers,
  WORKER,
  WORKER_ID,
} from './testing/index.ts';

type Schema = AddressesSchema &
  AuditSchema &
  IdentitySchema &
  ApplicationsSchema &
  EventsSchema &
  FleetSchema &
  IdempotencySchema &
  SealedObjectsSchema;

/** Per endpoint; the same cases in each run of the tests. */
const RUNS = 40;
const SEED = 20_261_122;
const HANG_MS = 5000;
const CLUSTER_ID = '6b02a0761c5b34961e7f558b';
const CLUSTER = {
  ...{ id: CLUSTER_ID, name: 'c1', location: '48.1,11.6', address: '192.0.2.7', port: 10_100 },
  ...{ isActive: true, activeWorkers: 2, vcpus: 8, memoryMib: 16_000, cpuPercent: 12.5, memoryPercent: 30 },
  ...{ virtualization: ['docker'], labels: {}, setLabels: {}, lastSeenAtMs: 1_795_334_263_360 },
  ...{ availability: 'open' as const, instanceCount: 3 },
};
const ADMIN = { userName: 'Admin', password: 'secret', address: '127.0.0.1' };

const deployments = createFakeDeployments(CLUSTER_ID);
const stopping = new AbortController();
/** What the application logged as its own failure. */
const failures: string[] = [];
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<Schema>;
let events: EventJournal;
let identity: Identity;
let server: ReturnType<typeof createDualServer>;
let port: number;
let app: FastifyInstance;
let token = '';

beforeAll(async () => {
  folder = await temporaryFolder();
  const [clock, random] = [systemClock(), systemRandom()];
  const logger = createLogger({
    output: {
      write: (line: string) => (line.includes('a request failed') ? failures.push(line) : undefined),
    },
  });
  // Whoever guesses passwords waits for seconds, and this guesses a lot.
  const hurried: Clock = {
    ...clock,
    setTimer: (delayMs, callback) => clock.setTimer(Math.min(delayMs, 1), callback),
  };
  const migrations = {
    ...identityMigrations,
    ...addressesMigrations,
    ...auditMigrations,
    ...applicationsMigrations,
    ...eventsMigrations,
    ...fleetMigrations,
    ...idempotencyMigrations,
    ...sealedObjectsMigrations,
  };
  const shared = { clock, random, logger };
  store = await openSqliteStore<Schema>({ path: `${folder.path}/root.db`, migrations, ...shared });
  const audit = await openAuditJournal({ ...shared, store });
  const [disk, stateDir] = [systemDisk(), folder.path];
  const adminPassword = new Sensitive(ADMIN.password);
  identity = await openIdentity({
    ...{ ...shared, clock: hurried },
    store,
    audit,
    disk,
    stateDir,
    adminPassword,
  });
  const addresses = await openAddresses({ store, clock, logger });
  const applications = await openApplications({ ...shared, store, addresses, identity, deployments });
  events = await openEventJournal({ store, clock, logger });
  const fleet = await openFleet({ store, clock, logger, send: () => {} });
  reportWorkers(fleet, CLUSTER.id, { [WORKER_ID]: WORKER });
  const { tls } = await openRootCertificates({ ...shared, stateDirectory: folder.path, furtherNames: [] });
  server = createDualServer(tls, clock);
  const sealedObjects = await openTestSealedObjects({ ...shared, store, audit, deployments });
  const parts = {
    ...{ identity, applications, deployments, sealedObjects, logger },
    ...{ clusters: createFakeClusters([CLUSTER]), legacyClusters: createFakeLegacyClusters(CLUSTER_ID) },
    isLegacyAddress: () => false,
  };
  app = createHttpApp({
    faces: [
      classicFace(parts),
      classicDocsFace(classicRoutes(parts)),
      apiFace({
        ...parts,
        ...{ audit, events, fleet, clock, version: '1.2.3', stopping: stopping.signal },
        idempotency: createIdempotencyKeys(store, clock),
      }),
    ],
    ...{ logger, refuse: sendClassicError, cors: [], serverFactory: server.serverFactory },
    plainHttpPolicy: plainHttpPolicy({ allowLegacy: [] }),
  });
  await app.ready();
  port = await server.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  stopping.abort();
  await server.close();
  await events.stop();
  await store.close();
  await folder.remove();
});

const NASTY_TEXTS = [
  ...['', ' ', '0', '-1', '1e309', 'NaN', 'null', 'undefined', 'true', '99999999999999999999', '0x10'],
  ...["'", '"', "' OR '1'='1", "'; DROP TABLE applications; --", '%', '_', '\\', '`id`', '$(id)', '{{7*7}}'],
  ...['\0', 'a\0b', '\r\nset-cookie: a=b', '\ud800', '\uffff', '\u202e', '\u{1f600}', 'é'.repeat(300)],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    '../../etc/passwd',
    'x'.repeat(70_000),
  ],
  ...[
    '2026-11-22T00:00:00Z',
    '9999-99-99T99:99:99Z',
    'AAAA',
    'MQ',
    'MWUzMDk',
    'OTk5OTk5OTk5OTk5OTk5OTk5OTk5',
    'LTE',
  ],
];
/** Undefined in most cases: what is behind the first refusal is to be reached, too. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 3 }, { arbitrary, weight: 1 });
const nastyText = fc.oneof(
  { arbitrary: fc.constantFrom(...NASTY_TEXTS), weight: 3 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 40 }), weight: 1 },
);
const nastyValue = fc.oneof(
  nastyText,
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 53, -(2 ** 63), 1e308, 5e-324, [], {}, [[]], [null]),
  fc.array(nastyText, { maxLength: 3 }),
  fc.dictionary(nastyText, fc.constant(1), { maxKeys: 3 }),
);

let serial = 0;
const sla = () => ({
  sla_version: 'v2.0',
  customerID: 'Admin',
  applications: [
    {
      // Where services are added to it.
      applicationID: deployments.services().at(-1)?.document.applicationID ?? '',
      application_name: `a${(serial++).toString(36)}`,
      application_namespace: 'fuzz',
      application_desc: '',
      microservices: [
        {
          ...{
            microservice_name: `w${(serial++).toString(36)}`,
            microservice_namespace: 'fuzz',
            virtualization: 'container',
          },
          ...{ code: 'nginx', memory: 32, vcpus: 1, storage: 0, bandwidth_in: 0, port: '80:80' },
          ...{ cmd: ['a'], environment: ['A=b'], addresses: {}, connectivity: [] },
          ...{ constraints: [{ type: 'clusters', allowed: ['c1'] }], added_files: [], state: '' },
        },
      ],
    },
  ],
});
/** What an endpoint takes, by the end of its path, so that what is wrong with a body is one thing only. */
const TAKEN: readonly (readonly [RegExp, () => unknown])[] = [
  [
    /v2\/services\/\{\w+\}$/,
    () => {
      const [, , service = '', namespace = ''] =
        deployments.services().at(-1)?.document.job_name.split('.') ?? [];
      const named = { microservice_name: service, microservice_namespace: namespace };
      const microservice = { ...named, virtualization: 'container', code: `nginx:${serial++}`, memory: 32 };
      return { microservice, maxUnavailable: 1, settleSeconds: 1, giveUpSeconds: 60 };
    },
  ],
  [/\/(secrets|configs)$/, () => ({ name: `s${(serial++).toString(36)}`, description: 'd', text: 'x' })],
  [/\/(secrets|configs)\/\{\w+\}$/, () => ({ description: 'd', base64: 'eA==' })],
  [/\/(clusters|workers)\/\{\w+\}$/, () => ({ labels: { zone: 'north', gone: null } })],
  [/\/replicas$/, () => ({ replicas: 2 })],
  [/\/me\/tokens$/, () => ({ name: 'ci', scopes: ['read'], expiresAt: '2026-12-01T00:00:00Z' })],
  [/\/rotation$/, () => ({ endOldTokens: false })],
  [/v2\/applications\/\{\w+\}$/, () => ({ name: 'b', namespace: 'c', description: 'd' })],
  [
    /\/application\/\{\w+\}$/,
    () => ({ application_name: 'b', application_namespace: 'c', application_desc: 'd' }),
  ],
  [/\/login$/, () => ({ username: 'Admin', password: 'secret', organization_name: 'root' })],
  [
    /\/(register|user\/\{\w+\})$/,
    () => ({
      ...{ name: `u${(serial++).toString(36)}`, email: 'a@b.example', password: 'secret', roles: [] },
      ...{ oldPassword: 'wrong', newPassword: 'other' },
    }),
  ],
  [/\/user$/, () => ({ username: 'bob', token: 'a.b.c', password: 'other' })],
  [/\/organization/, () => ({ name: `o${(serial++).toString(36)}`, member: [] })],
  [/./, sla],
];

type Body = string | Buffer | undefined;
/** A body that depends on the endpoint. */
type BodyOf = (taken: () => unknown) => Body;
/** The valid one with one value somewhere replaced, or one key added. */
function spoiled(
  base: unknown,
  picks: readonly number[],
  value: unknown,
  extraKey: string | undefined,
): string {
  const copy = structuredClone(base) as Record<string, unknown>;
  let place = copy;
  for (const pick of picks) {
    const keys = Object.keys(place);
    const key = keys[pick % keys.length];
    if (key === undefined) break;
    const next = place[key];
    if (typeof next !== 'object' || next === null || pick === picks.at(-1)) {
      place[extraKey ?? key] = value;
      break;
    }
    place = next as Record<string, unknown>;
  }
  return JSON.stringify(copy);
}
const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
const body: fc.Arbitrary<BodyOf> = fc.oneof(
  { arbitrary: fc.constant<BodyOf>((taken) => JSON.stringify(taken())), weight: 3 },
  {
    arbitrary: fc
      .record({
        picks: fc.array(fc.nat(30), { minLength: 1, maxLength: 7 }),
        value: nastyValue,
        extraKey: seldom(nastyText),
      })
      .map(
        ({ picks, value, extraKey }): BodyOf =>
          (taken) =>
            spoiled(taken(), picks, value, extraKey),
      ),
    weight: 8,
  },
  {
    arbitrary: nastyValue.map(
      (value): BodyOf =>
        () =>
          JSON.stringify(value),
    ),
    weight: 1,
  },
  {
    arbitrary: fc.uint8Array({ maxLength: 60 }).map(
      (bytes): BodyOf =>
        () =>
          Buffer.from(bytes),
    ),
    weight: 1,
  },
  {
    arbitrary: fc
      .constantFrom<Body>(
        ...[undefined, '', '{', '{"a":', '[]', 'null', '"{}"', '{"a":1}{"b":2}', '{"a":1,"a":2}', '\ufeff{}'],
        ...['{"__proto__":{"isAdmin":true}}', '{"constructor":{"prototype":{"x":1}}}', '{"name":"\\ud800"}'],
        ...[deep('[', ']', 20_000), deep('{"a":', '}', 20_000), `{"a":${deep('[', ']', 20_000)}}`],
        ...['a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]', '- - - - - -', 'a: !!js/function x'],
        ...[
          deep('[', ']', 3000),
          deep('{a: ', '}', 3000),
          '? ? ? ?',
          '%YAML 9.9\n---\n',
          '\t- a',
          'a: 0x',
          '<<: *x',
        ],
        ...[Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), Buffer.from([0xc0, 0x80])],
      )
      .map(
        (constant): BodyOf =>
          () =>
            constant,
      ),
    weight: 3,
  },
);
/** Halves of characters cannot be written there. */
const inAddress = (text: string) => encodeURIComponent(Buffer.from(text.slice(0, 3000)).toString());
const plainHeaderText = nastyText.map((text) =>
  text.replaceAll(/[^\x20-\x7e\xa0-\xff]/g, '?').slice(0, 5000),
);
const headers = fc
  .record({
    'content-type': fc.constantFrom(
      ...['application/json', 'application/json', 'application/json', 'application/json'],
      ...['application/yaml', 'text/plain', ';;;', 'application/yaml;'],
    ),
    'idempotency-key': seldom(plainHeaderText),
    'if-match': seldom(plainHeaderText),
    'if-none-match': seldom(plainHeaderText),
    origin: seldom(plainHeaderText),
    'x-forwarded-for': seldom(plainHeaderText),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
/** Undefined: the token of the administrator. */
const authorization = seldom(plainHeaderText.map((text) => `Bearer ${text}`));
/** As it stands in the address; undefined: one that is there. */
const parameter = seldom(
  fc.oneof(
    nastyText.map((text) => inAddress(text)),
    fc.constantFrom(
      '%',
      '%00',
      '%ff',
      '%c0%80',
      '..%2f..',
      '%zz',
      '%u0041',
      '-1',
      '0',
      '1e999',
      CLUSTER_ID,
      'Admin',
    ),
  ),
);
/** Of the names that an endpoint knows; one that nobody knows is refused at the door. */
const query = seldom(fc.array(fc.tuple(fc.nat(20), nastyText), { minLength: 1, maxLength: 3 }));

const routes = [
  ...Object.entries(endpoints)
    // Never ends by itself; see below.
    .filter(([operation]) => operation !== 'followEvents')
    .map(([, endpoint]: [string, Endpoint]) => ({
      ...{ method: endpoint.method, path: `${API_BASE}${endpoint.path}`, endpoint },
      queries: [...Object.keys(endpoint.query?.shape ?? {}), '__proto__'],
    })),
  // Only the table is looked at.
  ...classicRoutes({ identity: {}, applications: {}, deployments: {}, clusters: {} } as never).map(
    ({ method, path }) => ({
      method,
      path: path.replaceAll(/:(\w+)/g, '{$1}'),
      queries: ['limit'],
      endpoint: undefined,
    }),
  ),
].map(({ method, path, queries, endpoint }) => [method, path, queries, endpoint] as const);

async function adminToken(): Promise<string> {
  try {
    await identity.authenticate(token, 'read');
  } catch {
    token = (await identity.login(ADMIN)).accessToken;
  }
  return token;
}

/** One that is there, for a parameter of this name. */
async function existing(name: string, path: string): Promise<string> {
  if (/organi[sz]ation/i.test(name + path)) return (await identity.organisations.all()).at(-1)?.id ?? 'none';
  if (name === 'number') return '0';
  if (name === 'username') return 'Admin';
  if (name === 'clusterId') return CLUSTER_ID;
  if (name === 'workerId') return WORKER_ID;
  if (name === 'secretId' || name === 'configId')
    return existingObject(path.includes('/secrets') ? 'secrets' : 'configs');
  if (/service|^id$/.test(name) || name === 'applicationId') {
    if (deployments.services().length === 0) {
      const request = { method: 'POST', url: `${API_BASE}/applications`, payload: sla() } as const;
      await app.inject({ ...request, headers: { authorization: `Bearer ${await adminToken()}` } });
    }
    const service = deployments.services().at(-1);
    if (service?.instances.length === 0) await deployments.requestInstance(service.id);
    const isOfApplication = name === 'applicationId' || path.includes('/application/');
    return (isOfApplication ? service?.document.applicationID : service?.id) ?? 'none';
  }
  return 'none';
}

async function existingObject(kind: 'secrets' | 'configs'): Promise<string> {
  const headers = { authorization: `Bearer ${await adminToken()}` };
  const payload = { name: `e${(serial++).toString(36)}`, text: 'x' };
  const answer = await app.inject({ method: 'POST', url: `${API_BASE}/${kind}`, headers, payload });
  return answer.json().id;
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${HANG_MS} ms`)), HANG_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Answers, not failures: the root has no mail server here, and the store may be busy. */
const isDefect = (status: number) => status >= 500 && status !== 501 && status !== 503;

function expectErrorObject(text: string): void {
  const value: unknown = JSON.parse(text);
  expect(value).toBeTypeOf('object');
  expect(Array.isArray(value)).toBe(false);
  expect(value).not.toBeNull();
}

async function send(options: {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Body;
  readonly endpoint?: Endpoint | undefined;
}): Promise<number> {
  const { payload, endpoint, ...rest } = options;
  failures.length = 0;
  const answer = await within(
    app.inject({ ...rest, ...(payload === undefined ? {} : { payload }) } as never),
  );
  if (isDefect(answer.statusCode))
    throw new Error(`${answer.statusCode} ${answer.body}\n${failures.join('\n')}`);
  if (answer.statusCode >= 400) expectErrorObject(answer.body);
  if (endpoint !== undefined) expectDescribed(endpoint, answer);
  return answer.statusCode;
}

/** The answer is what the description of the interface, which is made of the same table, says of it. */
function expectDescribed(
  endpoint: Endpoint,
  { statusCode, headers: answered, body: text }: LightMyRequestResponse,
): void {
  if (statusCode === 304) return;
  if (statusCode >= 400) {
    expect(answered['content-type']).toContain('application/problem+json');
    expect(problemSchema.parse(JSON.parse(text)).status).toBe(statusCode);
    return;
  }
  expect(statusCode).toBe(statusOf(endpoint));
  if (endpoint.reply === undefined) expect(text).toBe('');
  // What the description does not name would be missing in the parsed one.
  else expect(endpoint.reply.parse(JSON.parse(text))).toEqual(JSON.parse(text));
}

describe('whatever is sent', () => {
  it.each(routes)(
    'is answered, and never with a failure of ours: %s %s',
    async (method, path, queries, endpoint) => {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
      const taken = TAKEN.find(([end]) => end.test(path))?.[1] ?? sla;
      const statuses = new Set<number>();
      const request = fc.record({
        body,
        headers,
        authorization,
        query,
        parameters: fc.tuple(...names.map(() => parameter)),
      });
      await fc.assert(
        fc.asyncProperty(request, async ({ parameters, ...given }) => {
          let url = path;
          for (const [index, name] of names.entries()) {
            url = url.replace(
              `{${name}}`,
              parameters[index]?.replaceAll('$', '$$$$') ?? (await existing(name, path)),
            );
          }
          const pairs = (given.query ?? []).map(
            ([pick, text]) => `${queries[pick % queries.length]}=${inAddress(text)}`,
          );
          if (pairs.length > 0) url += `?${pairs.join('&')}`;
          const bearer = given.authorization ?? `Bearer ${await adminToken()}`;
          statuses.add(
            await send({
              method,
              url,
              headers: { ...given.headers, authorization: bearer },
              payload: given.body(taken),
              // With nothing at its end it is another one: the list.
              endpoint: parameters.includes('') ? undefined : endpoint,
            }),
          );
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      // Were all of them turned away at the door, nothing behind it would have been tried.
      expect([...statuses].some((status) => status !== 401)).toBe(true);
      const me = await app.inject({
        url: `${API_BASE}/me`,
        headers: { authorization: `Bearer ${await adminToken()}` },
      });
      expect(me.json()).toMatchObject({ userName: 'Admin' });
      expect({}).not.toHaveProperty('isAdmin');
    },
  );

  it('is refused when it is too much', async () => {
    const authorization = `Bearer ${await adminToken()}`;
    const payload = JSON.stringify({ ...sla(), more: 'x'.repeat(4 * 1024 * 1024) });
    for (const url of [`${API_BASE}/applications`, '/api/application']) {
      const headers = { authorization, 'content-type': 'application/json' };
      expect(await send({ method: 'POST', url, headers, payload })).toBe(413);
    }
  });

  it('may follow from absurd positions', async () => {
    for (const text of NASTY_TEXTS) {
      const given = new AbortController();
      const answer = await within(
        fetch(`http://127.0.0.1:${port}${API_BASE}/events?after=${inAddress(text)}`, {
          headers: { authorization: `Bearer ${await adminToken()}` },
          signal: given.signal,
        }),
      );
      if (answer.status !== 200) {
        expect(answer.status).toBeLessThan(500);
        expectErrorObject(await answer.text());
      }
      given.abort();
    }
  });
});

describe('a connection', () => {
  const open = (text: string | Buffer) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(text);
    return socket;
  };
  const answerTo = (text: string | Buffer) =>
    within(
      new Promise<string>((resolve) => {
        let answer = '';
        open(text)
          .on('data', (part) => {
            answer += part.toString('latin1');
          })
          .on('close', () => resolve(answer));
      }),
    );
  const isServed = async () => (await fetch(`http://127.0.0.1:${port}/api/docs`)).status === 200;
  const GET = 'GET /api/v2/me HTTP/1.1\r\nHost: x\r\n';

  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['bytes of nothing', Buffer.from([0, 1, 2, 0xff, 0xfe, 0x0d, 0x0a, 0x0d, 0x0a])],
    ['NUL in a header', `${GET}a: b\0c\r\n\r\n`],
    ['headers without end', `${GET}${`a: ${'x'.repeat(1000)}\r\n`.repeat(40)}\r\n`],
    [
      'two lengths',
      `POST /api/application HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    ],
    [
      'a length and chunks',
      `POST /api/application HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'chunks of no size',
      `POST /api/application HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    ],
  ])('that carries %s is refused and ended', async (_name, text) => {
    expect(await answerTo(text)).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(await isServed()).toBe(true);
  });

  it('that is slow delays nobody else', async () => {
    const slow = Array.from({ length: 50 }, (_, index) =>
      open(
        index % 2 === 0
          ? 'GET /api/v2/me HTTP/1.1\r\nHost: x\r\na'
          : 'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{',
      ),
    );
    try {
      await Promise.all(
        slow.map((socket) =>
          socket.connecting ? new Promise((resolve) => socket.once('connect', resolve)) : true,
        ),
      );
      const served = await within(Promise.all(Array.from({ length: 20 }, isServed)));
      expect(served.every(Boolean)).toBe(true);
    } finally {
      for (const socket of slow) socket.destroy();
    }
  });
});
