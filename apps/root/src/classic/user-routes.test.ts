import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonObject, Sensitive } from '@oakestra/contracts';
import { encodeBody } from '@oakestra/contracts/classic';
import { createLogger, createManualClock, systemDisk, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Identity,
  type IdentitySchema,
  identityMigrations,
  openIdentity,
  type Principal,
} from '../identity/index.ts';
import { organisationRoutes } from './organisation-routes.ts';
import type { Route } from './route.ts';
import { userRoutes } from './user-routes.ts';

const password = 'correct horse';
const clock = createManualClock(Date.UTC(2026, 10, 22, 8, 5));
const logger = createLogger({ output: { write: () => {} } });
const mails: { readonly to: string; readonly text: string }[] = [];

let folder: string;
let store: Store<IdentitySchema>;
let identity: Identity;
let routes: Route[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-classic-users-'));
  const random = systemRandom();
  const path = join(folder, 'root.db');
  store = await openSqliteStore({ path, migrations: identityMigrations, logger, clock, random });
  identity = await openIdentity({
    ...{ store, disk: systemDisk(), stateDir: folder, clock, random, logger },
    adminPassword: new Sensitive(password),
    mailTransport: {
      async send(mail) {
        mails.push(mail);
      },
    },
  });
  for (const name of ['bob', 'eve']) {
    await identity.createUser({
      name,
      email: `${name}@example.org`,
      password,
      organisation: 'root',
      roles: [],
    });
  }
  routes = [...userRoutes(identity), ...organisationRoutes(identity)];
});

afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const principal = async (userName: string): Promise<Principal> => {
  const { accessToken } = await identity.login({ userName, password, address: '192.0.2.1' });
  return identity.authenticate(accessToken);
};

/** What the face does with a route, without HTTP. Who: a user name, or `undefined` for a call without token. */
async function call(route: string, who: string | undefined, path: string, body: JsonObject = {}) {
  const [method, pattern = ''] = route.split(' ');
  const found = routes.find((candidate) => candidate.method === method && candidate.path === pattern);
  if (found === undefined) throw new Error(`no route ${route}`);
  const places = pattern.split('/');
  const given = path.split('/');
  const parameters = Object.fromEntries(
    places.flatMap((place, index) => (place.startsWith(':') ? [[place.slice(1), given[index] ?? '']] : [])),
  );
  const request = { parameters, body, remoteAddress: '192.0.2.1' };
  if (found.access === 'refresh' || found.access === 'peer') throw new Error('no such route here');
  if (found.access === 'public') return encoded(await found.handle(request));
  if (who === undefined) throw new Error('needs a token');
  const caller = await principal(who);
  if (found.access === 'admin' && !caller.roles.includes('Admin')) {
    throw Object.assign(new Error('the face refuses it'), { kind: 'forbidden' });
  }
  return encoded(await found.handle(request, caller));
}

function encoded(reply: Awaited<ReturnType<Route['handle']>>) {
  return encodeBody(reply.encoding, reply.value);
}

const userNamed = (name: string) => call('GET /api/user/:username', name, `/api/user/${name}`);
const json = async (answer: Promise<{ text: string }>) => JSON.parse((await answer).text);

describe('a user (root-api 4.2)', () => {
  it('is shown to itself in the form that clients read, without a password (Q17)', async () => {
    const answer = await userNamed('Admin');
    expect(answer.contentType).toBe('text/html; charset=utf-8');
    expect(JSON.parse(answer.text)).toEqual({
      _id: { $oid: expect.stringMatching(/^[0-9a-f]{24}$/) },
      ...{ name: 'Admin', email: '', created_at: '22/11/2026 08:05' },
      roles: ['Admin', 'Organization_Admin', 'Application_Provider', 'Infrastructure_Provider'],
    });
  });

  it.each(['GET /api/user/:username', 'POST /api/user/:username', 'GET /api/permission/:username'])(
    '%s is about oneself, for administrators too',
    async (route) => {
      const path = route.split(' ')[1]?.replace(':username', 'bob') ?? '';
      for (const who of ['eve', 'Admin']) {
        await expect(call(route, who, path)).rejects.toMatchObject({ kind: 'forbidden' });
      }
    },
  );

  it('knows its roles (Q15)', async () => {
    const roles = await json(call('GET /api/permission/:username', 'bob', '/api/permission/bob'));
    expect(roles).toEqual({ roles: [] });
  });

  it('is registered as the dashboard does it, and listed', async () => {
    const body = {
      ...{ _id: { $oid: '' }, name: 'zoe', email: 'zoe@example.org', password: 'hidden' },
      ...{ created_at: '01/01/1999 00:00', roles: ['Application_Provider'] },
    };
    const created = await json(call('POST /api/auth/register', 'Admin', '/api/auth/register', body));
    expect(created).toMatchObject({
      name: 'zoe',
      roles: ['Application_Provider'],
      created_at: '22/11/2026 08:05',
    });
    expect(mails.map(({ to }) => to)).toContain('zoe@example.org');
    const all = await json(call('GET /api/users', 'Admin', '/api/users'));
    expect(all.map((user: JsonObject) => [user.name, 'roles' in user])).toEqual([
      ['Admin', false],
      ['bob', false],
      ['eve', false],
      ['zoe', false],
    ]);
    const { organisationId } = await principal('Admin');
    const path = `/api/users/${organisationId}`;
    const members = await json(call('GET /api/users/:organisationId', 'Admin', path));
    expect(members).toContainEqual(created);
    expect(JSON.stringify([created, all, members])).not.toMatch(/password|hidden|argon2/);
    const left = await json(call('DELETE /api/user/:username', 'Admin', '/api/user/zoe'));
    expect(left.map((user: JsonObject) => user.name)).toEqual(['Admin', 'bob', 'eve']);
  });

  it('has a list for an organisation that does not exist: an empty one', async () => {
    for (const id of ['e'.repeat(24), 'nonsense']) {
      expect(await json(call('GET /api/users/:organisationId', 'Admin', `/api/users/${id}`))).toEqual([]);
    }
  });

  it('that exists or lacks what it needs is told with a real error (Q14)', async () => {
    const register = (body: JsonObject) =>
      call('POST /api/auth/register', 'Admin', '/api/auth/register', body);
    await expect(register({ name: 'bob', password: 'x' })).rejects.toMatchObject({ kind: 'conflict' });
    await expect(register({ name: '', password: 'x' })).rejects.toMatchObject({ code: 'user-invalid' });
    await expect(register({ name: 'x' })).rejects.toMatchObject({
      code: 'body-invalid',
      message: expect.stringContaining('password'),
    });
    await expect(register({ name: 'x', password: 'x', roles: 'Admin' })).rejects.toMatchObject({
      code: 'body-invalid',
      message: expect.stringContaining('roles'),
    });
  });

  it('saves its own e-mail address with the document that the profile page sends (Q19)', async () => {
    const profile = { ...JSON.parse((await userNamed('bob')).text), email: 'new@example.org' };
    const saved = await call('PUT /api/user/:username', 'bob', '/api/user/bob', profile);
    expect(saved).toEqual({ contentType: 'text/html; charset=utf-8', text: '"ok"' });
    expect(JSON.parse((await userNamed('bob')).text)).toMatchObject({ email: 'new@example.org' });
    const foreign = call('PUT /api/user/:username', 'eve', '/api/user/bob', { email: 'e@example.org' });
    await expect(foreign).rejects.toMatchObject({ kind: 'forbidden' });
    const renamed = call('PUT /api/user/:username', 'Admin', '/api/user/bob', { name: 'rob' });
    await expect(renamed).rejects.toMatchObject({ kind: 'invalid' });
    const unknown = call('PUT /api/user/:username', 'Admin', '/api/user/nobody', { email: '' });
    await expect(unknown).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('changes its password, with the messages that clients show', async () => {
    const change = (oldPassword: string, newPassword: string) =>
      call('POST /api/user/:username', 'eve', '/api/user/eve', { oldPassword, newPassword });
    await expect(change(password, password)).rejects.toThrow("Old password can't be the new password!");
    expect(await change(password, 'other')).toEqual({ contentType: 'application/json', text: '{}' });
    const login = identity.login({ userName: 'eve', password: 'other', address: '192.0.2.1' });
    await expect(login).resolves.toHaveProperty('accessToken');
  });

  it('gets a new one by mail, whatever domain the request names', async () => {
    const body = { username: 'bob', domain: 'evil.example.com' };
    expect((await call('POST /api/user', undefined, '/api/user', body)).text).toBe('{}');
    const text = mails.at(-1)?.text ?? '';
    expect(text).not.toContain('evil');
    const [, token] = /resetPassword\/(\S+)/.exec(text) ?? [];
    const confirmation = { token, password: 'brand new' };
    expect((await call('PUT /api/user', undefined, '/api/user', confirmation)).text).toBe('{}');
    const login = identity.login({ userName: 'bob', password: 'brand new', address: '192.0.2.1' });
    await expect(login).resolves.toHaveProperty('accessToken');
  });
});

describe('an organisation (root-api 4.3)', () => {
  it('is created with an id that is encoded twice, listed, changed and deleted', async () => {
    const { userId } = await principal('Admin');
    const member = [{ user_id: userId, roles: ['Organization_Admin'] }];
    const body = { name: 'newOrganization', member };
    const created = await call('POST /api/organization', 'Admin', '/api/organization', body);
    expect(created).toEqual({
      contentType: 'application/json',
      text: expect.stringMatching(/^"\\"[0-9a-f]{24}\\""$/),
    });
    const id = JSON.parse(JSON.parse(created.text) as string) as string;
    const list = async () =>
      JSON.parse(await json(call('GET /api/organization', 'Admin', '/api/organization'))) as JsonObject[];
    expect(await list()).toContainEqual({ _id: { $oid: id }, ...body });

    const path = `/api/organization/${id}`;
    const renamed = { _id: { $oid: id }, name: 'acme' };
    const changed = call('PUT /api/organization/:id', 'Admin', path, renamed);
    expect(await json(changed)).toEqual({ message: 'Organization is updated' });
    // Without members there are none (Q6).
    expect(await list()).toContainEqual({ _id: { $oid: id }, name: 'acme', member: [] });
    const deleted = call('DELETE /api/organization/:id', 'Admin', path);
    expect(await json(deleted)).toEqual({ message: 'Organization deleted' });
    await expect(call('DELETE /api/organization/:id', 'Admin', path)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it('has a name, and members who are described', async () => {
    const create = (body: JsonObject) => call('POST /api/organization', 'Admin', '/api/organization', body);
    await expect(create({})).rejects.toMatchObject({ code: 'organisation-invalid' });
    await expect(create({ name: 'x', member: [{ roles: [] }] })).rejects.toMatchObject({
      code: 'body-invalid',
      violations: [expect.objectContaining({ path: 'member.0.user_id' })],
    });
  });
});

describe('who may call', () => {
  it('is said by every route', () => {
    const said = routes.map(({ method, path, access }) => `${access} ${method} ${path}`).sort();
    expect(said).toEqual([
      'admin DELETE /api/organization/:id',
      'admin DELETE /api/user/:username',
      'admin GET /api/organization',
      'admin GET /api/users',
      'admin GET /api/users/:organisationId',
      'admin POST /api/auth/register',
      'admin POST /api/organization',
      'admin PUT /api/organization/:id',
      'public POST /api/user',
      'public PUT /api/user',
      'user GET /api/permission/:username',
      'user GET /api/user/:username',
      'user POST /api/user/:username',
      'user PUT /api/user/:username',
    ]);
  });
});
