import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import { createSealer } from '@oakestra/pki';
import { openStore } from '@oakestra/store';
import { recordingLogger, testClock, testRandom } from '@oakestra/store/testing';
import { startTestPostgres, type TestPostgres } from '@oakestra/store/testing/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Identity } from './identity.ts';
import {
  ADDRESS,
  ADMIN_PASSWORD,
  type IdentityBench,
  openIdentityBench,
} from './test-support/identity-bench.ts';

const mail = { host: 'mail.example.org', port: 465, security: 'tls', from: 'o@example.org' } as const;

let server: TestPostgres;
let url: Sensitive;
/** Two roots on one database. */
let bench: IdentityBench;
let other: IdentityBench;

const openBench = () =>
  openIdentityBench({
    mail,
    openStore: (migrations) =>
      openStore({ url, migrations, logger: recordingLogger(), clock: testClock, random: testRandom }),
  });

beforeAll(async () => {
  server = await startTestPostgres();
  url = await server.createDatabase('identity');
  bench = await openBench();
  other = await openBench();
});

beforeEach(async () => {
  await bench.reset();
  await other.reset();
  await bench.reset();
});

afterAll(async () => {
  await bench.close();
  await other.close();
  await server.stop();
});

describe('identity over PostgreSQL', () => {
  it('runs through the life of a user, and tells it newest first', async () => {
    const { identity } = bench;
    const root = await bench.caller();
    const carol = {
      name: 'carol',
      email: 'c@example.org',
      password: 'first',
      roles: ['Application_Provider'],
    };
    const { id } = await identity.register(carol, root);
    await expect(identity.register(carol, root)).rejects.toMatchObject({ code: 'user-exists' });
    const members = [{ userId: id, roles: ['Organization_Admin'] }];
    const acme = await identity.organisations.create({ name: 'acme', members }, root);
    await expect(identity.organisations.create({ name: 'acme', members }, root)).rejects.toMatchObject({
      code: 'organisation-exists',
    });
    const inAcme = await bench.caller('carol', 'first', 'acme');
    expect(inAcme).toMatchObject({ organisationId: acme.id, roles: ['Organization_Admin'], isMember: true });

    const { token, id: tokenId } = await identity.personalTokens.create(
      { name: 'ci', scopes: ['read'] },
      inAcme,
    );
    expect(await identity.authenticate(token, 'read')).toMatchObject({ userName: 'carol' });
    await identity.personalTokens.revoke(tokenId, inAcme);
    await expect(identity.authenticate(token, 'read')).rejects.toMatchObject({ code: 'token-unknown' });

    await identity.passwordReset.request({ userName: 'carol', address: ADDRESS });
    const [, link = ''] = /resetPassword\/(\S+)/.exec(bench.mails.at(-1)?.text ?? '') ?? [];
    await identity.passwordReset.confirm({ token: link, password: 'second', address: ADDRESS });
    const { accessToken, refreshToken } = await bench.login('carol', 'second');
    await identity.refresh(refreshToken);
    await identity.logout(refreshToken, ADDRESS);
    await identity.logout(refreshToken, ADDRESS);
    await expect(identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await identity.organisations.remove(acme.id, root);
    await identity.removeUser('carol', root);

    await bench.audit.settled();
    const { entries } = await bench.audit.read({ fromMs: 1 });
    const told = entries.map(({ action }) => action).filter((action) => action !== 'session.login');
    expect(told).toEqual([
      ...['user.delete', 'organisation.delete', 'session.logout', 'password.reset', 'password.reset-request'],
      ...['personal-token.revoke', 'personal-token.create', 'organisation.create', 'user.create'],
    ]);
  });

  it('keeps one administrator when two roots take one away each at the same time', async () => {
    for (let round = 0; round < 5; round += 1) {
      await bench.reset();
      await bench.addUser('second', ['Admin']);
      const [first, second] = [await bench.caller(), await other.caller('second', ADMIN_PASSWORD)];
      const outcomes = await Promise.allSettled([
        bench.identity.updateUser('second', { roles: [] }, first),
        other.identity.updateUser('Admin', { roles: [] }, second),
      ]);
      const refused = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason.code] : [],
      );
      expect(refused).toEqual(['administrator-last']);
    }
  });

  it('has one administrator and one signing key after two first starts at the same moment', async () => {
    const sealer = createSealer([new Sensitive<Uint8Array>(randomBytes(32))]);
    for (let round = 0; round < 3; round += 1) {
      await bench.reset();
      await other.reset();
      await bench.store.commit(
        [bench.store.db.deleteFrom('users'), bench.store.db.deleteFrom('signing_keys')],
        { durability: 'normal' },
      );
      const fresh = { jwtPrivateKey: undefined, adminPassword: undefined, sealer };
      const rooms = await Promise.all([bench.open(fresh), other.open(fresh)]);
      expect(new Set(rooms.map((room) => room.publicKeyPem())).size).toBe(1);
      expect((await rooms[0]?.users())?.map(({ name }) => name)).toEqual(['Admin']);
      // Whoever made it has the password; the other one has none that would be wrong.
      const passwords = [bench, other]
        .map(({ stateDir }) => join(stateDir, 'admin-password'))
        .filter((path) => existsSync(path))
        .map((path) => readFileSync(path, 'utf8').trim());
      expect(passwords).toHaveLength(1);
      for (const room of rooms) {
        const attempt = { userName: 'Admin', password: passwords[0] ?? '', address: ADDRESS };
        await expect(room.login(attempt)).resolves.toHaveProperty('accessToken');
        await room.stop();
      }
      const [row] = await server.query('identity', 'select sealed from signing_keys');
      expect(String(row?.sealed)).not.toContain('PRIVATE');
    }
  });

  it('signs with the key that another root made, and ends what that one ended, within a second', async () => {
    await server.query('identity', 'delete from signing_keys');
    const sealing = new Sensitive<Uint8Array>(randomBytes(32));
    const own = { jwtPrivateKey: undefined, sealer: createSealer([sealing]) };
    const [first, second] = [await bench.open(own), await other.open(own)];
    const login = (room: Identity) =>
      room.login({ userName: 'Admin', password: ADMIN_PASSWORD, address: ADDRESS });
    const inAMoment = async () => {
      for (const { clock } of [bench, other]) await clock.advance(1100);
    };
    const old = await login(second);
    const admin = { ...(await first.authenticate(old.accessToken)), address: ADDRESS };
    await first.rotateSigningKey(admin);
    await inAMoment();
    const young = await login(first);
    await expect(second.authenticate(young.accessToken)).resolves.toMatchObject({ userName: 'Admin' });
    await expect(second.authenticate(old.accessToken)).resolves.toMatchObject({ userName: 'Admin' });
    expect(second.publicKeyPem()).toBe(first.publicKeyPem());

    // Both at once, neither of which knows of the other: no token is lost.
    await Promise.all([first.rotateSigningKey(admin), second.rotateSigningKey(admin)]);
    await inAMoment();
    for (const { accessToken } of [old, young, await login(first), await login(second)]) {
      for (const room of [first, second]) await room.authenticate(accessToken);
    }
    expect(second.publicKeyPem()).toBe(first.publicKeyPem());

    await second.rotateSigningKey(admin, { endOldTokens: true });
    await inAMoment();
    await expect(first.authenticate(young.accessToken)).rejects.toMatchObject({ code: 'token-signature' });
    const last = await login(second);
    // A new sealing key opens what the old one sealed, and seals it anew.
    const renewed = { ...own, sealer: createSealer([new Sensitive<Uint8Array>(randomBytes(32)), sealing]) };
    await expect((await bench.open(renewed)).authenticate(last.accessToken)).resolves.toBeDefined();
    const [row] = await server.query('identity', 'select sealed from signing_keys');
    expect(String(row?.sealed).startsWith(renewed.sealer.keyId)).toBe(true);
    await expect(other.open(own)).rejects.toMatchObject({ code: 'sealing-key-missing' });
  });

  it('uses a link for a new password once, whichever roots are asked', async () => {
    await bench.addUser('bob', [], 'bob@example.org');
    await bench.identity.passwordReset.request({ userName: 'bob', address: ADDRESS });
    const [, token = ''] = /resetPassword\/(\S+)/.exec(bench.mails.at(-1)?.text ?? '') ?? [];
    const outcomes = await Promise.allSettled(
      [bench, other].map(({ identity }, number) =>
        identity.passwordReset.confirm({ token, password: `new ${number}`, address: ADDRESS }),
      ),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});
