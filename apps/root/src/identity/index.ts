export { type Action, authorize, requireAllowed } from './authorize.ts';
export { ADMIN_NAME, isRootOrganisation } from './default-admin.ts';
export { type Identity, type IdentityOptions, openIdentity } from './identity.ts';
export type { MailSettings } from './mail/smtp.ts';
export type { OrganisationMember } from './organisations.ts';
export type { PersonalToken } from './personal-tokens.ts';
export { type Caller, isRootAdmin, type Principal, type Scope } from './principal.ts';
export { type IdentitySchema, identityMigrations } from './schema.ts';
export { bearerToken } from './tokens.ts';
