export type { User } from './accounts.ts';
export { ADMIN_NAME, ADMIN_PASSWORD_FILE } from './default-admin.ts';
export {
  type Identity,
  type IdentityOptions,
  type LoginAttempt,
  type NewUser,
  openIdentity,
  type Principal,
} from './identity.ts';
export { type IdentitySchema, identityMigrations } from './schema.ts';
export { bearerToken } from './tokens.ts';
