import { join } from 'node:path';
import { openTestStore, temporaryFolder } from '@oakestra/store/testing';
import { expect, it } from 'vitest';
import { createAccounts } from './accounts.ts';
import { type IdentitySchema, identityMigrations } from './schema.ts';

it('an existing installation keeps its users, who have no ended tokens', async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'root.db');
  const row = {
    ...{ id: 'a'.repeat(24), name: 'Admin', email: '', password_hash: 'x' },
    created_at_ms: 1_795_334_263_360,
  };
  const first = Object.fromEntries(Object.entries(identityMigrations).slice(0, 1));
  const before = await openTestStore<IdentitySchema>(path, first);
  await before.commit([before.db.insertInto('users').values(row)], { durability: 'full' });
  await before.close();

  const after = await openTestStore<IdentitySchema>(path, identityMigrations);
  expect(await createAccounts(after).byName('Admin')).toEqual({
    ...{ id: row.id, name: 'Admin', email: '', passwordHash: 'x', createdAtMs: row.created_at_ms },
  });
  // As the release before writes it, which does not know the column.
  const other = { ...row, id: 'b'.repeat(24), name: 'bob' };
  await after.commit([after.db.insertInto('users').values(other)], { durability: 'full' });
  const generations = await after.db.selectFrom('users').select('token_generation').execute();
  expect(generations.map(({ token_generation }) => Number(token_generation))).toEqual([0, 0]);
  await after.close();
  await folder.remove();
});
