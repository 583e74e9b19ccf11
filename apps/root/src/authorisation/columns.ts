/*
 * Who asks, in the order of the columns of the tables:
 *
 *   nobody | of root: Admin, member, Application_Provider
 *          | of the organisation acme: Admin, Organization_Admin, Application_Provider, Infrastructure_Provider, member
 *          | personal access tokens of the Admin of root with the scope read, write, admin
 *          | personal access tokens of the Organization_Admin of acme with the scope read, write, admin
 *
 * What comes of it: `+` it is done (or is in the list), `0` as if it were not there, `-` forbidden, `!` no valid token.
 */

export interface Column {
  readonly name: string;
  /** Undefined: nobody. */
  readonly user?: string;
  /** Undefined: the token of a login. */
  readonly scope?: 'read' | 'write' | 'admin';
}

export const PEOPLE = {
  Admin: { organisation: 'root', roles: ['Admin'] },
  'root-member': { organisation: 'root', roles: [] },
  'root-provider': { organisation: 'root', roles: ['Application_Provider'] },
  'acme-admin': { organisation: 'acme', roles: ['Admin'] },
  'acme-organizer': { organisation: 'acme', roles: ['Organization_Admin'] },
  'acme-provider': { organisation: 'acme', roles: ['Application_Provider'] },
  'acme-operator': { organisation: 'acme', roles: ['Infrastructure_Provider'] },
  'acme-member': { organisation: 'acme', roles: [] },
  // Those who own what is shared or foreign.
  'root-mate': { organisation: 'root', roles: ['Application_Provider'] },
  'acme-mate': { organisation: 'acme', roles: ['Application_Provider'] },
  stranger: { organisation: 'other', roles: ['Application_Provider'] },
  // Without a second one, the Admin could not go.
  deputy: { organisation: 'root', roles: ['Admin'] },
} as const satisfies Record<string, { readonly organisation: string; readonly roles: readonly string[] }>;

export type PersonName = keyof typeof PEOPLE;

const login = (user: PersonName): Column => ({ name: user, user });
const tokensOf = (user: PersonName): Column[] =>
  (['read', 'write', 'admin'] as const).map((scope) => ({ name: `${user}, token: ${scope}`, user, scope }));

export const GROUPS: readonly (readonly Column[])[] = [
  [{ name: 'nobody' }],
  [login('Admin'), login('root-member'), login('root-provider')],
  [
    ...[login('acme-admin'), login('acme-organizer'), login('acme-provider')],
    ...[login('acme-operator'), login('acme-member')],
  ],
  tokensOf('Admin'),
  tokensOf('acme-organizer'),
];

/**
 * Whose object a request is about: the caller's, that of another member of the caller's organisation, or that of a
 * user of a third organisation. Requests that are about no object have the line `all`.
 */
export type Relation = 'all' | 'own' | 'shared' | 'foreign';
