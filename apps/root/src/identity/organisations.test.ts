import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from './principal.ts';
import { ADMIN_PASSWORD, type IdentityBench, openIdentityBench } from './test-support/identity-bench.ts';

let bench: IdentityBench;
let root: Caller;
let bob: Caller;

beforeAll(async () => {
  bench = await openIdentityBench();
});

beforeEach(async () => {
  await bench.reset();
  root = await bench.caller();
  bob = await bench.addUser('bob');
});

afterAll(() => bench.close());

describe('organisations', () => {
  it('have a name of their own and members with roles', async () => {
    const { organisations } = bench.identity;
    const members = [{ userId: bob.userId, roles: ['Application_Provider'] }];
    const acme = await organisations.create({ name: 'acme', members }, root);
    expect(acme.id).toMatch(/^[0-9a-f]{24}$/);
    expect(await organisations.all()).toEqual([
      { id: acme.id, name: 'acme', members },
      expect.objectContaining({ name: 'root' }),
    ]);
    await expect(organisations.create({ name: 'acme', members: [] }, root)).rejects.toMatchObject({
      kind: 'conflict',
      code: 'organisation-exists',
    });
    const other = await organisations.create({ name: 'other', members: [] }, root);
    await expect(organisations.update(other.id, { name: 'acme' }, root)).rejects.toMatchObject({
      code: 'organisation-exists',
    });
    expect((await organisations.all()).map(({ name }) => name)).toEqual(['acme', 'other', 'root']);
  });

  it.each([[{ name: ' ', members: [] }], [{ name: 'x', members: [{ userId: 'e'.repeat(24), roles: [] }] }]])(
    'refuse %o',
    async (organisation) => {
      await expect(bench.identity.organisations.create(organisation, root)).rejects.toMatchObject({
        code: 'organisation-invalid',
      });
      expect(await bench.identity.organisations.all()).toHaveLength(1);
    },
  );

  it('refuse a member who is there twice, and roles that do not exist', async () => {
    const member = { userId: bob.userId, roles: [] };
    const create = (members: { userId: string; roles: string[] }[]) =>
      bench.identity.organisations.create({ name: 'x', members }, root);
    await expect(create([member, member])).rejects.toMatchObject({ code: 'organisation-invalid' });
    await expect(create([{ ...member, roles: ['King'] }])).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('are for administrators', async () => {
    const { organisations } = bench.identity;
    const refused = { code: 'role-missing' };
    await expect(organisations.create({ name: 'x', members: [] }, bob)).rejects.toMatchObject(refused);
    await expect(organisations.update(root.organisationId, {}, bob)).rejects.toMatchObject(refused);
    await expect(organisations.remove(root.organisationId, bob)).rejects.toMatchObject(refused);
  });

  it('the one named root keeps its name and stays (Q5)', async () => {
    const { organisations } = bench.identity;
    const refused = { kind: 'conflict', code: 'organisation-protected' };
    await expect(organisations.remove(root.organisationId, root)).rejects.toMatchObject(refused);
    await expect(organisations.update(root.organisationId, { name: 'x' }, root)).rejects.toMatchObject(
      refused,
    );
    await organisations.update(root.organisationId, { name: 'root' }, root);
    await expect(bench.login()).resolves.toHaveProperty('accessToken');
  });

  it('that are unknown are not found', async () => {
    const { organisations } = bench.identity;
    const id = 'e'.repeat(24);
    await expect(organisations.remove(id, root)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(organisations.update(id, { name: 'x' }, root)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('whoever leaves an organisation', () => {
  it('is no member at the next request, and gets no new token for it', async () => {
    const { identity } = bench;
    const members = [{ userId: bob.userId, roles: ['Organization_Admin'] }];
    const { id } = await identity.organisations.create({ name: 'acme', members }, root);
    const { accessToken, refreshToken } = await bench.login('bob', ADMIN_PASSWORD, 'acme');
    expect(await identity.authenticate(accessToken)).toMatchObject({
      ...{ isMember: true, roles: ['Organization_Admin'], isInRootOrganisation: false },
    });
    await identity.organisations.update(id, { members: [] }, root);
    expect(await identity.authenticate(accessToken)).toMatchObject({ isMember: false, roles: [] });
    await expect(identity.refresh(refreshToken)).rejects.toMatchObject({ code: 'token-organisation-left' });
    await identity.organisations.remove(id, root);
    expect(await identity.authenticate(accessToken)).toMatchObject({ isMember: false });
    expect(await identity.userByName('bob')).toBeDefined();
  });
});
