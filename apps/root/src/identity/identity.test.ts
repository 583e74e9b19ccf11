import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import {
  createLogger,
  createManualClock,
  type ManualClock,
  systemDisk,
  systemRandom,
} from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type IdentityOptions, type IdentitySchema, identityMigrations, openIdentity } from './index.ts';

const { verify } = vi.hoisted(() => ({ verify: vi.fn() }));
vi.mock('@node-rs/argon2', async (original) => {
  const argon2 = await original<typeof import('@node-rs/argon2')>();
  verify.mockImplementation(argon2.verify);
  return { ...argon2, verify };
});

/** Making a key takes a second; tests that are not about it share one. */
const sharedKey = new Sensitive(
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey,
);

let storeDir: string;
let stateDir: string;
let store: Store<IdentitySchema>;
let clock: ManualClock;
let logged: string;

const logger = () => createLogger({ output: { write: (line) => (logged += line) } });

const open = (options: Partial<IdentityOptions> = {}) =>
  openIdentity({
    store,
    disk: systemDisk(),
    stateDir,
    clock,
    random: systemRandom(),
    logger: logger(),
    jwtPrivateKey: sharedKey,
    ...options,
  });

const admin = { userName: 'Admin', password: 'correct horse', address: '192.0.2.1' };
const openWithPassword = () => open({ adminPassword: new Sensitive(admin.password) });

beforeAll(async () => {
  clock = createManualClock();
  storeDir = await mkdtemp(join(tmpdir(), 'oakestra-identity-'));
  const path = join(storeDir, 'root.db');
  const random = systemRandom();
  store = await openSqliteStore({ path, migrations: identityMigrations, logger: logger(), clock, random });
});

beforeEach(async () => {
  stateDir = await mkdtemp(join(storeDir, 'state-'));
  logged = '';
  const { db } = store;
  await store.commit([db.deleteFrom('users'), db.deleteFrom('organisations')], { durability: 'normal' });
});

afterAll(async () => {
  await store.close();
  await rm(storeDir, { recursive: true, force: true });
});

describe('the first start', () => {
  it('invents a password, keeps it in a private file and never logs it', async () => {
    const identity = await open({ jwtPrivateKey: undefined });
    const path = join(stateDir, 'admin-password');
    const password = (await readFile(path, 'utf8')).trim();
    expect(password).toMatch(/^[a-z2-9]{20}$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(stateDir, 'token-key.pem'))).mode & 0o777).toBe(0o600);
    expect(logged).toContain(path);
    expect(logged).not.toContain(password);
    await expect(identity.login({ ...admin, password })).resolves.toHaveProperty('accessToken');
    await expect(identity.login({ ...admin, password: 'Admin' })).rejects.toMatchObject({
      kind: 'unauthenticated',
      code: 'credentials-wrong',
    });
  });

  it('takes a given password, and then writes none', async () => {
    const identity = await openWithPassword();
    await expect(identity.login(admin)).resolves.toHaveProperty('refreshToken');
    await expect(stat(join(stateDir, 'admin-password'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('uses the well-known password only when told to, and says so', async () => {
    const identity = await open({ useLegacyAdminPassword: true });
    await expect(identity.login({ ...admin, password: 'Admin' })).resolves.toHaveProperty('accessToken');
    expect(logged).toContain('everybody knows');
  });
});

describe('a later start', () => {
  it('keeps password and tokens of the first', async () => {
    const first = await open({ adminPassword: new Sensitive(admin.password), jwtPrivateKey: undefined });
    const { accessToken } = await first.login(admin);
    const second = await open({ adminPassword: new Sensitive('another'), jwtPrivateKey: undefined });
    await expect(second.login(admin)).resolves.toHaveProperty('accessToken');
    await expect(second.authenticate(accessToken)).resolves.toMatchObject({ userName: 'Admin' });
  });

  it('gives a re-created administrator its roles back (Q8)', async () => {
    await openWithPassword();
    await store.commit([store.db.deleteFrom('users').where('name', '=', 'Admin')], { durability: 'full' });
    const identity = await openWithPassword();
    const { accessToken } = await identity.login(admin);
    expect((await identity.authenticate(accessToken)).roles).toContain('Admin');
  });

  it('names the file of a damaged key without quoting it', async () => {
    await systemDisk().replaceFile(join(stateDir, 'token-key.pem'), Buffer.from('garbage-key'), 0o600);
    const failure = await open({ jwtPrivateKey: undefined }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'token-key-invalid' });
    expect(String(failure)).toContain('token-key.pem');
    expect(String(failure)).not.toContain('garbage');
  });
});

describe('tokens (root-api 3.1)', () => {
  it('have the claims that clients read', async () => {
    const identity = await openWithPassword();
    const { accessToken, refreshToken } = await identity.login(admin);
    const nowS = Math.floor(clock.nowMs() / 1000);
    expect(decodeProtectedHeader(accessToken)).toEqual({ alg: 'RS256', typ: 'JWT' });
    expect(decodeJwt(accessToken)).toEqual({
      sub: 'Admin',
      user: 'Admin',
      roles: ['Admin', 'Organization_Admin', 'Application_Provider', 'Infrastructure_Provider'],
      organization: expect.stringMatching(/^[0-9a-f]{24}$/),
      type: 'access',
      fresh: false,
      iat: nowS,
      nbf: nowS,
      exp: nowS + 600,
      jti: expect.any(String),
      sid: expect.any(String),
      uid: expect.stringMatching(/^[0-9a-f]{24}$/),
      gen: 0,
      csrf: expect.any(String),
    });
    expect(decodeJwt(refreshToken)).toMatchObject({ type: 'refresh', exp: nowS + 30 * 86_400 });
  });

  it('end, and the refresh token gives a new one with the roles of today (Q7)', async () => {
    const identity = await openWithPassword();
    await identity.createUser({ ...bob, roles: ['Application_Provider'] });
    const { accessToken, refreshToken } = await identity.login({ ...admin, userName: 'bob' });
    await clock.advance(631_000);
    await expect(identity.authenticate(accessToken)).rejects.toMatchObject({
      code: 'token-expired',
      message: 'Token has expired',
    });
    await store.commit([store.db.updateTable('memberships').set({ roles: '["Admin"]' })], {
      durability: 'full',
    });
    const renewed = await identity.refresh(refreshToken);
    expect(await identity.authenticate(renewed.accessToken)).toMatchObject({ roles: ['Admin'] });
  });

  it('of one kind do not pass for the other, nor do tampered ones', async () => {
    const identity = await openWithPassword();
    const { accessToken, refreshToken } = await identity.login(admin);
    await expect(identity.authenticate(refreshToken)).rejects.toThrow('Only non-refresh tokens are allowed');
    await expect(identity.refresh(accessToken)).rejects.toThrow('Only refresh tokens are allowed');
    const [head, body] = accessToken.split('.');
    const forged = `${head}.${body}.${Buffer.alloc(256).toString('base64url')}`;
    await expect(identity.authenticate(forged)).rejects.toThrow('Signature verification failed');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    await expect(identity.authenticate(`${none}.${body}.`)).rejects.toMatchObject({
      kind: 'unauthenticated',
    });
    await expect(identity.authenticate('x')).rejects.toMatchObject({ kind: 'unauthenticated' });
  });

  it('are worth nothing once their user is gone', async () => {
    const identity = await openWithPassword();
    const { accessToken, refreshToken } = await identity.login(admin);
    await store.commit([store.db.deleteFrom('users')], { durability: 'full' });
    await expect(identity.authenticate(accessToken)).rejects.toMatchObject({ kind: 'unauthenticated' });
    await expect(identity.refresh(refreshToken)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

const bob = {
  name: 'bob',
  email: 'bob@example.org',
  password: admin.password,
  organisation: 'root',
  roles: [],
};

describe('login (root-api 3.3)', () => {
  it.each([
    { ...admin, userName: 'nobody' },
    { ...admin, password: '' },
    { ...admin, userName: '' },
    { ...admin, password: 'x'.repeat(5000) },
  ])('refuses $userName with one answer for all reasons', async (attempt) => {
    const identity = await openWithPassword();
    await expect(identity.login(attempt)).rejects.toMatchObject({ code: 'credentials-wrong' });
  });

  it('needs an existing organisation and membership in it (Q4)', async () => {
    const identity = await openWithPassword();
    const acme = { id: 'a'.repeat(24), name: 'acme' };
    await store.commit([store.db.insertInto('organisations').values(acme)], { durability: 'full' });
    await expect(identity.login({ ...admin, organisation: 'none' })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(identity.login({ ...admin, organisation: 'acme' })).rejects.toMatchObject({
      kind: 'forbidden',
    });
    await expect(identity.login({ ...admin, organisation: '' })).resolves.toHaveProperty('accessToken');
  });

  it('is cheap when repeated, and forgets a changed password at once', async () => {
    const identity = await openWithPassword();
    verify.mockClear();
    await identity.login(admin);
    for (let round = 0; round < 20; round += 1) await identity.login(admin);
    expect(verify).toHaveBeenCalledTimes(1);
    await clock.advance(60_000);
    await identity.login(admin);
    expect(verify).toHaveBeenCalledTimes(2);
    await store.commit([store.db.updateTable('users').set({ password_hash: 'pbkdf2:gone' })], {
      durability: 'full',
    });
    await expect(identity.login(admin)).rejects.toMatchObject({ code: 'credentials-wrong' });
  });

  it('makes whoever guesses wrong wait', async () => {
    const identity = await openWithPassword();
    await expect(identity.login({ ...admin, password: 'guess' })).rejects.toThrow();
    const second = identity.login(admin);
    await vi.waitUntil(() => clock.pendingTimers > 0);
    await clock.advance(99);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1);
    expect(clock.pendingTimers).toBe(0);
    await second;
  });
});

describe('new users', () => {
  it('log in, and exist once', async () => {
    const identity = await openWithPassword();
    const created = await identity.createUser(bob);
    expect(created).not.toHaveProperty('passwordHash');
    await expect(identity.login({ ...admin, userName: 'bob' })).resolves.toHaveProperty('accessToken');
    await expect(identity.createUser(bob)).rejects.toMatchObject({ kind: 'conflict', code: 'user-exists' });
    await expect(identity.createUser({ ...bob, name: ' ' })).rejects.toMatchObject({ kind: 'invalid' });
    expect((await identity.users()).map((user) => user.name)).toEqual(['Admin', 'bob']);
    expect(await identity.userByName('bob')).toEqual(created);
  });
});
