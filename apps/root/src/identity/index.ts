export type { Member, User } from './accounts.ts';
export {
  type AccessDecision,
  type AccessObject,
  type AccessRequest,
  type Action,
  authorize,
  requireAllowed,
} from './authorize.ts';
export { ADMIN_NAME } from './default-admin.ts';
export { type Identity, type IdentityOptions, openIdentity } from './identity.ts';
export type { MailSettings } from './mail/smtp.ts';
export type { Organisation, OrganisationMember } from './organisations.ts';
export type { NewPersonalToken, PersonalToken } from './personal-tokens.ts';
export { type Caller, isRootAdmin, type Principal, SCOPES, type Scope } from './principal.ts';
export { type IdentitySchema, identityMigrations } from './schema.ts';
export { bearerToken } from './tokens.ts';
