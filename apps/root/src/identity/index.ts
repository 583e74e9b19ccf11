export { ADMIN_NAME } from './default-admin.ts';
export { type Identity, type IdentityOptions, openIdentity, type Principal } from './identity.ts';
export { type IdentitySchema, identityMigrations } from './schema.ts';
export { bearerToken } from './tokens.ts';
