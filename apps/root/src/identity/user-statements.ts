import type { Statement } from '@oakestra/store';
import { type Kysely, sql } from 'kysely';
import type { IdentitySchema } from './schema.ts';

/** Ends all tokens of a user that logins gave. */
export function endTokensStatement(db: Kysely<IdentitySchema>, userId: string): Statement {
  return db
    .updateTable('users')
    .set({ token_generation: sql<number>`token_generation + 1` })
    .where('id', '=', userId);
}

/** A new password, and the end of all that the old one opened. */
export function newPasswordStatements(
  db: Kysely<IdentitySchema>,
  userId: string,
  passwordHash: string,
): Statement[] {
  return [
    db.updateTable('users').set({ password_hash: passwordHash }).where('id', '=', userId),
    endTokensStatement(db, userId),
    endLinksStatement(db, userId),
  ];
}

/** Links for a new password that are on their way, or in the mailbox of an earlier address. */
export function endLinksStatement(db: Kysely<IdentitySchema>, userId: string): Statement {
  return db.deleteFrom('password_resets').where('user_id', '=', userId);
}
