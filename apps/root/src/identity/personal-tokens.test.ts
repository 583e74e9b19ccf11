import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller, Scope } from './principal.ts';
import { type IdentityBench, openIdentityBench } from './test-support/identity-bench.ts';

let bench: IdentityBench;
let root: Caller;

beforeAll(async () => {
  bench = await openIdentityBench();
});

beforeEach(async () => {
  await bench.reset();
  root = await bench.caller();
});

afterAll(() => bench.close());

const create = (scopes: readonly Scope[], name = 'ci') =>
  bench.identity.personalTokens.create({ name, scopes }, root);

describe('a personal access token', () => {
  it('is shown once and stored as a hash', async () => {
    const { token, ...listed } = await create(['read', 'read']);
    expect(token).toMatch(/^oak_[0-9a-f]{64}$/);
    expect(listed).toMatchObject({ name: 'ci', scopes: ['read'], organisationId: root.organisationId });
    expect(await bench.identity.personalTokens.list(root)).toEqual([listed]);
    const stored = JSON.stringify(await bench.store.db.selectFrom('personal_tokens').selectAll().execute());
    await bench.audit.settled();
    const journal = JSON.stringify(await bench.audit.read());
    expect(stored + journal + bench.log()).not.toContain(token.slice(4));
  });

  it.each([
    [['read'], ['read']],
    [['write'], ['read', 'write']],
    [['admin'], ['read', 'write', 'admin']],
  ] as const)('with the scope %j does %j', async (scopes, possible) => {
    const { token } = await create(scopes);
    const works: Scope[] = [];
    for (const needed of ['read', 'write', 'admin'] as const) {
      const isGranted = await bench.identity.authenticate(token, needed).then(
        () => true,
        (error: { code: string }) => {
          expect(error.code).toBe('scope-missing');
          return false;
        },
      );
      if (isGranted) works.push(needed);
    }
    expect(works).toEqual(possible);
  });

  it('opens nothing where nobody said what the request does', async () => {
    const { token } = await create(['write']);
    await expect(bench.identity.authenticate(token)).rejects.toMatchObject({ code: 'scope-missing' });
  });

  it('makes nobody an administrator without that scope, and has the roles of today with it', async () => {
    const { token: weak } = await create(['write'], 'weak');
    const { token: strong } = await create(['admin'], 'strong');
    expect((await bench.identity.authenticate(weak, 'write')).roles).not.toContain('Admin');
    expect((await bench.identity.authenticate(strong)).roles).toContain('Admin');
    await bench.addUser('second', ['Admin']);
    await bench.identity.updateUser('Admin', { roles: ['Application_Provider'] }, root);
    expect((await bench.identity.authenticate(strong)).roles).toEqual(['Application_Provider']);
  });

  it('ends when it is revoked, at once', async () => {
    const { token, id } = await create(['read']);
    await bench.identity.authenticate(token, 'read');
    await bench.identity.personalTokens.revoke(id, root);
    await expect(bench.identity.authenticate(token, 'read')).rejects.toMatchObject({
      kind: 'unauthenticated',
      code: 'token-unknown',
    });
    await expect(bench.identity.personalTokens.revoke(id, root)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('ends when its time has come', async () => {
    const expiresAtMs = bench.clock.nowMs() + 60_000;
    const { token } = await bench.identity.personalTokens.create(
      { name: 'short', scopes: ['read'], expiresAtMs },
      root,
    );
    await bench.clock.advance(59_999);
    await bench.identity.authenticate(token, 'read');
    await bench.clock.advance(1);
    await expect(bench.identity.authenticate(token, 'read')).rejects.toMatchObject({ code: 'token-expired' });
  });

  it('belongs to its user', async () => {
    const { id } = await create(['read']);
    const bob = await bench.addUser('bob');
    expect(await bench.identity.personalTokens.list(bob)).toEqual([]);
    await expect(bench.identity.personalTokens.revoke(id, bob)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('cannot beget another one, nor change the password', async () => {
    const { token } = await create(['admin']);
    const script = { ...(await bench.identity.authenticate(token)), address: root.address };
    const refused = { kind: 'forbidden', code: 'login-needed' };
    await expect(
      bench.identity.personalTokens.create({ name: 'x', scopes: ['read'] }, script),
    ).rejects.toMatchObject(refused);
    const change = { oldPassword: 'x', newPassword: 'y' };
    await expect(bench.identity.changePassword(change, script)).rejects.toMatchObject(refused);
  });

  it.each([
    [{ name: ' ', scopes: ['read'] as const }],
    [{ name: 'x', scopes: [] }],
    [{ name: 'x', scopes: ['all' as Scope] }],
    [{ name: 'x', scopes: ['read'] as const, expiresAtMs: 1 }],
    [{ name: 'x', scopes: ['read'] as const, expiresAtMs: Number.NaN }],
    [{ name: 'x', scopes: ['read'] as const, expiresAtMs: Date.UTC(2099, 0) }],
  ])('%o is refused', async (token) => {
    await expect(bench.identity.personalTokens.create(token, root)).rejects.toMatchObject({
      code: 'personal-token-invalid',
    });
  });

  it('has a name of its own', async () => {
    await create(['read']);
    await expect(create(['read'])).rejects.toMatchObject({ kind: 'conflict', code: 'personal-token-exists' });
  });
});
