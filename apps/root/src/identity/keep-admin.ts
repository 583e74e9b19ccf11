import { OakestraError } from '@oakestra/contracts';
import type { Statement, Store } from '@oakestra/store';
import type { Kysely } from 'kysely';
import { ROOT_ORGANISATION } from './default-admin.ts';
import type { IdentitySchema } from './schema.ts';

/**
 * Applies all statements or none, and none (`administrator-last`, conflict) when nobody would be left who
 * administers the installation. For whatever takes roles or users away.
 */
export async function commitKeepingAdmin(
  store: Store<IdentitySchema>,
  statements: readonly Statement[],
): Promise<void> {
  await store.transaction(async (tx) => {
    // Changes nothing, but those who take away another administrator at the same time wait for this row.
    await tx
      .updateTable('organisations')
      .set({ name: ROOT_ORGANISATION })
      .where('name', '=', ROOT_ORGANISATION)
      .execute();
    for (const statement of statements) await execute(tx, statement);
    const members = await tx
      .selectFrom('memberships')
      .innerJoin('organisations', 'organisations.id', 'memberships.organisation_id')
      .select('memberships.roles')
      .where('organisations.name', '=', ROOT_ORGANISATION)
      .execute();
    if (!members.some(({ roles }) => (JSON.parse(roles) as string[]).includes('Admin'))) {
      throw new OakestraError(
        'conflict',
        'administrator-last',
        'This would leave nobody with the role Admin in the organisation root. Give it to somebody else first.',
      );
    }
  });
}

async function execute(tx: Kysely<IdentitySchema>, statement: Statement): Promise<void> {
  if ('expectedChanges' in statement) throw new Error('a guarded change takes no expectations');
  await tx.executeQuery('sql' in statement ? statement : statement.compile());
}
