import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ADDRESS,
  ADMIN_PASSWORD,
  type IdentityBench,
  openIdentityBench,
} from './test-support/identity-bench.ts';

let bench: IdentityBench;

beforeAll(async () => {
  bench = await openIdentityBench();
});

beforeEach(async () => {
  await bench.reset();
});

afterAll(() => bench.close());

const carol = {
  name: 'carol',
  email: 'carol@example.org',
  password: 'a secret',
  roles: ['Application_Provider'],
};

async function acme() {
  const root = await bench.caller();
  const boss = await bench.addUser('boss');
  const { id } = await bench.identity.organisations.create(
    { name: 'acme', members: [{ userId: boss.userId, roles: ['Admin'] }] },
    root,
  );
  return { root, id, boss: await bench.caller('boss', ADMIN_PASSWORD, 'acme') };
}

describe('register', () => {
  it('joins the organisation of the administrator, tells the user by mail, and never shows a hash', async () => {
    const { boss, id } = await acme();
    const created = await bench.identity.register(carol, boss);
    expect(created).toEqual({
      ...{ id: expect.stringMatching(/^[0-9a-f]{24}$/), name: 'carol', email: 'carol@example.org' },
      ...{ createdAtMs: bench.clock.nowMs(), roles: ['Application_Provider'] },
    });
    expect(await bench.identity.membersOf(id)).toContainEqual(created);
    expect(JSON.stringify(await bench.identity.users())).not.toContain('argon2');
    expect(await bench.caller('carol', 'a secret', 'acme')).toMatchObject({
      roles: ['Application_Provider'],
    });
    await expect(bench.login('carol', 'a secret', 'root')).rejects.toMatchObject({ kind: 'forbidden' });
    const mail = bench.mails.find(({ to }) => to === 'carol@example.org');
    expect(mail?.text).toContain('Application_Provider');
    expect(mail?.text).not.toContain('a secret');
  });

  it.each([
    [{ ...carol, name: '' }, 'user-invalid'],
    [{ ...carol, name: 'a\nb' }, 'user-invalid'],
    [{ ...carol, password: '' }, 'user-invalid'],
    [{ ...carol, email: 'x@example.org, y@example.org' }, 'user-invalid'],
    [{ ...carol, roles: ['King'] }, 'user-invalid'],
    [{ ...carol, name: 'Admin' }, 'user-exists'],
  ])('refuses %o', async (user, code) => {
    const root = await bench.caller();
    await expect(bench.identity.register(user, root)).rejects.toMatchObject({ code });
    expect(await bench.identity.users()).toHaveLength(1);
  });

  it('is for administrators', async () => {
    const bob = await bench.addUser('bob', ['Organization_Admin']);
    await expect(bench.identity.register(carol, bob)).rejects.toMatchObject({ code: 'role-missing' });
  });
});

describe('a change of a user', () => {
  it('by an administrator sets a password hashed, ends the tokens, and tells both addresses (Q18)', async () => {
    const root = await bench.caller();
    await bench.addUser('bob', [], 'bob@example.org');
    const { accessToken } = await bench.login('bob');
    const changes = { email: 'new@example.org', password: 'other', roles: ['Infrastructure_Provider'] };
    await bench.identity.updateUser('bob', changes, root);
    await expect(bench.identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(bench.login('bob')).rejects.toMatchObject({ code: 'credentials-wrong' });
    await bench.clock.advance(100);
    expect(await bench.caller('bob', 'other')).toMatchObject({ roles: ['Infrastructure_Provider'] });
    const told = bench.mails.filter(({ subject }) => subject.includes('changed')).map(({ to }) => to);
    expect(told).toEqual(['bob@example.org', 'new@example.org']);
  });

  it('takes a document as clients send it back: nothing changes without a new value (Q17)', async () => {
    const root = await bench.caller();
    await bench.addUser('bob', ['Application_Provider'], 'bob@example.org');
    const { accessToken } = await bench.login('bob');
    const row = await bench.store.db.selectFrom('users').selectAll().where('name', '=', 'bob').execute();
    const echoed = {
      email: 'bob@example.org',
      password: row[0]?.password_hash,
      roles: ['Application_Provider'],
    };
    await bench.identity.updateUser('bob', echoed, root);
    await bench.identity.updateUser('bob', { ...echoed, password: '' }, root);
    await expect(bench.identity.authenticate(accessToken)).resolves.toMatchObject({ userName: 'bob' });
    expect(bench.mails.filter(({ subject }) => subject.includes('changed'))).toEqual([]);
  });

  it('by the user concerns the e-mail address only (Q19)', async () => {
    const bob = await bench.addUser('bob', ['Application_Provider']);
    const own = { email: 'bob@example.org', roles: ['Application_Provider'], password: '' };
    await bench.identity.updateUser('bob', own, bob);
    expect(await bench.identity.userByName('bob')).toMatchObject({ email: 'bob@example.org' });
    for (const changes of [{ roles: ['Admin'] }, { password: 'other' }]) {
      await expect(bench.identity.updateUser('bob', changes, bob)).rejects.toMatchObject({
        kind: 'forbidden',
      });
    }
    await expect(bench.identity.updateUser('Admin', { email: 'x@y.z' }, bob)).rejects.toMatchObject({
      kind: 'forbidden',
    });
    const script = { ...bob, scopes: ['write'] as const };
    await expect(bench.identity.updateUser('bob', { email: 'x@y.z' }, script)).rejects.toMatchObject({
      code: 'login-needed',
    });
  });

  it('takes roles effect at the next request, with the token that is there (Q7)', async () => {
    const root = await bench.caller();
    await bench.addUser('bob');
    const { accessToken, refreshToken } = await bench.login('bob');
    await bench.identity.authenticate(accessToken);
    await bench.identity.updateUser('bob', { roles: ['Admin'] }, root);
    expect((await bench.identity.authenticate(accessToken)).roles).toEqual(['Admin']);
    await bench.identity.updateUser('bob', { roles: [] }, root);
    expect((await bench.identity.authenticate(accessToken)).roles).toEqual([]);
    const renewed = await bench.identity.refresh(refreshToken);
    expect((await bench.identity.authenticate(renewed.accessToken)).roles).toEqual([]);
  });

  it('notices within a second what another root on the same store did', async () => {
    await bench.addUser('bob');
    const { accessToken } = await bench.login('bob');
    await bench.identity.authenticate(accessToken);
    await bench.store.commit([bench.store.db.deleteFrom('users').where('name', '=', 'bob')], {
      durability: 'full',
    });
    await bench.clock.advance(1_000);
    await expect(bench.identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-user-gone' });
  });
});

describe('the own password', () => {
  it('changes with the old one, and ends every login', async () => {
    const bob = await bench.addUser('bob');
    const { accessToken, refreshToken } = await bench.login('bob');
    const change = { oldPassword: ADMIN_PASSWORD, newPassword: 'other' };
    await bench.identity.changePassword(change, bob);
    await expect(bench.identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(bench.identity.refresh(refreshToken)).rejects.toMatchObject({ code: 'token-revoked' });
    const fresh = await bench.login('bob', 'other');
    await expect(bench.identity.authenticate(fresh.accessToken)).resolves.toMatchObject({ userName: 'bob' });
  });

  it('needs the right old one and another new one, and guesses are slowed down', async () => {
    const bob = await bench.addUser('bob');
    const change = (oldPassword: string, newPassword: string) =>
      bench.identity.changePassword({ oldPassword, newPassword }, bob);
    await expect(change(ADMIN_PASSWORD, ADMIN_PASSWORD)).rejects.toMatchObject({
      code: 'password-unchanged',
    });
    await expect(change(ADMIN_PASSWORD, '')).rejects.toMatchObject({ code: 'user-invalid' });
    await expect(change('guess', 'other')).rejects.toThrow('Old password is not valid!');
    const second = change('guess', 'other');
    const outcome = expect(second).rejects.toThrow('Old password is not valid!');
    await vi.waitUntil(() => bench.clock.pendingTimers > 0);
    await bench.clock.advance(100);
    await outcome;
  });
});

describe('removal', () => {
  it('ends tokens, also for a later user of the same name', async () => {
    const root = await bench.caller();
    const bob = await bench.addUser('bob');
    const { accessToken, refreshToken } = await bench.login('bob');
    const { token } = await bench.identity.personalTokens.create({ name: 'ci', scopes: ['read'] }, bob);
    await bench.identity.authenticate(token, 'read');
    await bench.identity.removeUser('bob', root);
    await expect(bench.identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-user-gone' });
    await expect(bench.identity.refresh(refreshToken)).rejects.toMatchObject({ code: 'user-not-found' });
    await bench.addUser('bob');
    await expect(bench.identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(bench.identity.refresh(refreshToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(bench.identity.authenticate(token, 'read')).rejects.toMatchObject({ code: 'token-unknown' });
    await expect(bench.identity.removeUser('nobody', root)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('the last administrator of root', () => {
  it('can neither be deleted nor lose the role', async () => {
    const root = await bench.caller();
    const { identity } = bench;
    const refused = { kind: 'conflict', code: 'administrator-last' };
    await expect(identity.removeUser('Admin', root)).rejects.toMatchObject(refused);
    await expect(identity.updateUser('Admin', { roles: [] }, root)).rejects.toMatchObject(refused);
    const { organisationId } = root;
    await expect(identity.organisations.update(organisationId, { members: [] }, root)).rejects.toMatchObject(
      refused,
    );
    expect(await identity.rolesOf(root.userId, organisationId)).toContain('Admin');
  });

  it('is the last also when two remove each other at the same time', async () => {
    const root = await bench.caller();
    const second = await bench.addUser('second', ['Admin']);
    const outcomes = await Promise.allSettled([
      bench.identity.removeUser('second', root),
      bench.identity.removeUser('Admin', second),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await bench.identity.users()).toHaveLength(1);
  });
});

describe('an administrator of another organisation', () => {
  it('has no way to the whole installation', async () => {
    const { boss, root, id } = await acme();
    const { identity } = bench;
    const refused = { code: 'role-missing' };
    await expect(identity.updateUser('Admin', { password: 'mine' }, boss)).rejects.toMatchObject(refused);
    await expect(identity.removeUser('Admin', boss)).rejects.toMatchObject(refused);
    const members = [{ userId: boss.userId, roles: ['Admin'] }];
    await expect(identity.organisations.update(root.organisationId, { members }, boss)).rejects.toMatchObject(
      refused,
    );
    await expect(identity.rotateSigningKey(boss)).rejects.toMatchObject(refused);
    await identity.updateUser('boss', { email: 'boss@example.org' }, boss);
    await identity.register(carol, boss);
    await identity.updateUser('carol', { roles: [] }, boss);
    await identity.organisations.update(id, { name: 'acme inc' }, boss);
    await identity.removeUser('carol', boss);
    expect((await identity.users()).map(({ name }) => name)).toEqual(['Admin', 'boss']);
  });
});

describe('the journal of changes', () => {
  it('tells who did what from where, and holds no secret', async () => {
    const root = await bench.caller();
    await bench.identity.register(carol, root);
    await bench.identity.updateUser('carol', { password: 'another secret', email: 'c@example.org' }, root);
    const by = await bench.caller('carol', 'another secret');
    await bench.identity.changePassword({ oldPassword: 'another secret', newPassword: 'third secret' }, by);
    await expect(bench.login('carol', 'guessed secret')).rejects.toThrow();
    await bench.identity.removeUser('carol', root);
    await bench.audit.settled();
    const { entries } = await bench.audit.read();
    const told = entries.map(({ actor, action, outcome }) => `${actor.userName} ${action} ${outcome}`);
    for (const expected of [
      'Admin user.create done',
      'Admin user.change done',
      'carol password.change done',
      'carol session.login refused',
      'Admin user.delete done',
    ]) {
      expect(told).toContain(expected);
    }
    const creation = entries.find(({ action }) => action === 'user.create');
    expect(creation).toMatchObject({
      actor: { userName: 'Admin', address: ADDRESS },
      object: { kind: 'user', name: 'carol' },
    });
    const everything = JSON.stringify(await bench.store.db.selectFrom('audit_entries').selectAll().execute());
    expect(everything).not.toMatch(/secret|argon2/);
    expect(bench.log()).not.toMatch(/secret|argon2/);
  });

  it('has no entry of what was not changed', async () => {
    const root = await bench.caller();
    await expect(bench.identity.removeUser('Admin', root)).rejects.toThrow();
    expect((await bench.audit.read({ action: 'user.delete' })).entries).toEqual([]);
  });
});
