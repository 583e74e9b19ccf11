/** What a personal access token may be used for; each includes those before it. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A user who proved to be one, in the organisation of the login. */
export interface Principal {
  readonly userId: string;
  readonly userName: string;
  readonly organisationId: string;
  /** The roles of today, whatever the token says. Without `Admin` when a personal token lacks the scope for it. */
  readonly roles: readonly string[];
  /** Whether the user is (still) a member of that organisation. */
  readonly isMember: boolean;
  /** Whether that organisation is `root`, where nothing is shared and administrators may everything. */
  readonly isInRootOrganisation: boolean;
  /** Of a personal access token; `undefined` for a login, which may all that its user may. */
  readonly scopes: readonly Scope[] | undefined;
}

/** Somebody who asks for a change, and from where. */
export interface Caller extends Principal {
  readonly address: string;
}

export function hasScope(scopes: readonly Scope[] | undefined, needed: Scope): boolean {
  if (scopes === undefined) return true;
  return scopes.some((scope) => SCOPES.indexOf(scope) >= SCOPES.indexOf(needed));
}

/** An administrator of the whole installation. */
export function isRootAdmin({ roles, isInRootOrganisation }: Principal): boolean {
  return isInRootOrganisation && roles.includes('Admin');
}
