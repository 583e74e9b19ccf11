import { createPublicKey, createVerify, generateKeyPairSync, pbkdf2Sync } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ADDRESS,
  ADMIN_PASSWORD,
  type IdentityBench,
  openIdentityBench,
} from './test-support/identity-bench.ts';

let bench: IdentityBench;
const ownKey = { jwtPrivateKey: undefined };

beforeAll(async () => {
  bench = await openIdentityBench();
});

beforeEach(async () => {
  await bench.reset();
});

afterAll(() => bench.close());

describe('logout', () => {
  it('ends this login at once, with all its tokens, and no other', async () => {
    const { identity } = bench;
    const here = await bench.login();
    const elsewhere = await bench.login();
    const renewed = await identity.refresh(here.refreshToken);
    await identity.authenticate(here.accessToken);
    await identity.logout(here.refreshToken, ADDRESS);
    await identity.logout(here.refreshToken, ADDRESS);
    for (const token of [here.accessToken, renewed.accessToken]) {
      await expect(identity.authenticate(token)).rejects.toMatchObject({ code: 'token-revoked' });
    }
    await expect(identity.refresh(here.refreshToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(identity.authenticate(elsewhere.accessToken)).resolves.toHaveProperty('userName');
    const again = await bench.open();
    await expect(again.refresh(here.refreshToken)).rejects.toMatchObject({ code: 'token-revoked' });
  });

  it('stores a hash, until the token would have ended by itself', async () => {
    const { refreshToken } = await bench.login();
    await bench.identity.logout(refreshToken, ADDRESS);
    const ended = () => bench.store.db.selectFrom('ended_sessions').selectAll().execute();
    expect((await ended())[0]?.id_hash).toMatch(/^[0-9a-f]{64}$/);
    await bench.clock.advance(31 * 86_400_000);
    await bench.identity.logout((await bench.login()).refreshToken, ADDRESS);
    expect(await ended()).toHaveLength(1);
  });

  it('everywhere ends every login of a user, and personal tokens when told so', async () => {
    const { identity } = bench;
    const bob = await bench.addUser('bob');
    const { accessToken, refreshToken } = await bench.login('bob');
    const { token } = await identity.personalTokens.create({ name: 'ci', scopes: ['read'] }, bob);
    await identity.endSessions('bob', bob);
    await expect(identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(identity.refresh(refreshToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await identity.authenticate(token, 'read');
    await identity.endSessions('bob', await bench.caller(), { andPersonalTokens: true });
    await expect(identity.authenticate(token, 'read')).rejects.toMatchObject({ code: 'token-unknown' });
    await expect(identity.endSessions('Admin', bob)).rejects.toMatchObject({ code: 'role-missing' });
  });
});

describe('the signing keys', () => {
  it('rotate: the new one signs, the old one verifies until its tokens end, also after a restart', async () => {
    const identity = await bench.open(ownKey);
    const login = () => identity.login({ userName: 'Admin', password: ADMIN_PASSWORD, address: ADDRESS });
    const old = await login();
    const oldPem = identity.publicKeyPem();
    await identity.rotateSigningKey(await bench.caller());
    expect(identity.publicKeyPem()).not.toBe(oldPem);
    expect(signedBy(identity.publicKeyPem(), (await login()).accessToken)).toBe(true);
    for (const room of [identity, await bench.open(ownKey)]) {
      expect(room.publicKeyPem()).toBe(identity.publicKeyPem());
      await expect(room.authenticate(old.accessToken)).resolves.toMatchObject({ userName: 'Admin' });
      await expect(room.refresh(old.refreshToken)).resolves.toHaveProperty('accessToken');
    }
    for (const file of ['token-key.pem', 'token-keys-retired.json']) {
      expect((await stat(join(bench.stateDir, file))).mode & 0o777, file).toBe(0o600);
    }
    expect(await readFile(join(bench.stateDir, 'token-keys-retired.json'), 'utf8')).not.toContain('PRIVATE');
    await bench.clock.advance(31 * 86_400_000);
    await expect(identity.refresh(old.refreshToken)).rejects.toMatchObject({ code: 'token-signature' });
  });

  it('rotate so that nothing old counts any more', async () => {
    const identity = await bench.open(ownKey);
    const old = await identity.login({ userName: 'Admin', password: ADMIN_PASSWORD, address: ADDRESS });
    await identity.rotateSigningKey(await bench.caller(), { endOldTokens: true });
    await expect(identity.authenticate(old.accessToken)).rejects.toMatchObject({ code: 'token-signature' });
    const restarted = await bench.open(ownKey);
    await expect(restarted.refresh(old.refreshToken)).rejects.toMatchObject({ code: 'token-signature' });
  });

  it('may be given, as a pair that belongs together', async () => {
    const pem = { publicKeyEncoding: { type: 'spki', format: 'pem' } } as const;
    const make = () =>
      generateKeyPairSync('rsa', {
        ...{ modulusLength: 2048, ...pem, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } },
      });
    const one = make();
    const other = make();
    // As in an environment file: one line.
    const jwtPrivateKey = new Sensitive(one.privateKey.replaceAll('\n', '\\n'));
    const identity = await bench.open({ jwtPrivateKey, jwtPublicKey: one.publicKey });
    expect(identity.publicKeyPem()).toBe(one.publicKey);
    await expect(bench.open({ jwtPrivateKey, jwtPublicKey: other.publicKey })).rejects.toMatchObject({
      code: 'token-key-invalid',
    });
    await expect(identity.rotateSigningKey(await bench.caller())).rejects.toMatchObject({
      code: 'token-key-given',
    });
  });
});

function signedBy(publicPem: string, token: string): boolean {
  const [head, body, signature = ''] = token.split('.');
  const verifier = createVerify('RSA-SHA256').update(`${head}.${body}`);
  return verifier.verify(createPublicKey(publicPem), signature, 'base64url');
}

describe('an imported password (root-api 3.4)', () => {
  it('is verified, and hashed our way at the login', async () => {
    const digest = pbkdf2Sync('stock', 'aB3dE6gH9jK2mN5p', 1_000, 32, 'sha256').toString('hex');
    const imported = `pbkdf2:sha256:1000$aB3dE6gH9jK2mN5p$${digest}`;
    const { db } = bench.store;
    await bench.store.commit([db.updateTable('users').set({ password_hash: imported })], {
      durability: 'full',
    });
    const hash = async () =>
      (await db.selectFrom('users').select('password_hash').executeTakeFirst())?.password_hash ?? '';
    await bench.login('Admin', 'stock');
    await vi.waitUntil(async () => (await hash()).startsWith('$argon2id$'));
    await bench.clock.advance(60_000);
    await expect(bench.login('Admin', 'stock')).resolves.toHaveProperty('accessToken');
  });
});

describe('an attacker elsewhere', () => {
  it('does not keep the administrator out, however often the password is guessed', async () => {
    const { identity, clock } = bench;
    const guess = () => identity.login({ userName: 'Admin', password: 'guess', address: '203.0.113.9' });
    await expect(guess()).rejects.toMatchObject({ code: 'credentials-wrong' });
    const guesses = Promise.allSettled(Array.from({ length: 50 }, guess));
    await expect(bench.login()).resolves.toHaveProperty('accessToken');
    while (clock.pendingTimers > 0) await clock.advance(1_000);
    const codes = (await guesses).map((outcome) =>
      outcome.status === 'rejected' ? outcome.reason.code : 'in',
    );
    expect(new Set(codes)).toEqual(new Set(['credentials-wrong', 'login-throttled']));
  });

  it('does not keep the administrator out with a flood of names either', async () => {
    const { identity } = bench;
    const attempt = (userName: string) =>
      identity.login({ userName, password: 'x', address: '203.0.113.9' }).then(
        () => 'in',
        (error: { code: string }) => error.code,
      );
    await attempt('first');
    const flood = Array.from({ length: 200 }, (_, number) => attempt(`u${number}`));
    // From the first refusal on, the queue is full.
    const busy = flood.map(async (outcome) => {
      if ((await outcome) !== 'login-busy') throw new Error('looked at');
    });
    await Promise.any(busy);
    await expect(bench.login()).resolves.toHaveProperty('accessToken');
    expect(await Promise.all(flood)).not.toContain('in');
  });

  it('does not fill the journal', async () => {
    const { identity, audit } = bench;
    for (let number = 0; number < 40; number += 1) {
      await expect(
        identity.login({ userName: `u${number}`, password: '', address: `203.0.113.${number}` }),
      ).rejects.toThrow();
    }
    await bench.clock.advance(60_000);
    await expect(identity.login({ userName: 'last', password: '', address: ADDRESS })).rejects.toThrow();
    await audit.settled();
    const { entries } = await audit.read({ action: 'session.login' });
    expect(entries).toHaveLength(31);
    expect(entries[0]?.details).toEqual({ leftOutBefore: 10 });
  });
});

describe('a login in the journal', () => {
  it('stands there once an hour per user and address, as clients log in before every command', async () => {
    for (let round = 0; round < 3; round += 1) await bench.login();
    await bench.clock.advance(3_600_000);
    await bench.login();
    await bench.audit.settled();
    expect((await bench.audit.read({ action: 'session.login' })).entries).toHaveLength(2);
  });
});
