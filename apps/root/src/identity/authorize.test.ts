import { describe, expect, it } from 'vitest';
import { type AccessObject, type Action, authorize, requireAllowed } from './authorize.ts';
import type { Principal } from './principal.ts';

const ROOT = 'root-id';
const ACME = 'acme-id';

const caller = (fields: Partial<Principal> = {}): Principal => ({
  ...{ userId: 'u', userName: 'u', organisationId: ACME, roles: [], isMember: true },
  ...{ isInRootOrganisation: (fields.organisationId ?? ACME) === ROOT, scopes: undefined },
  ...fields,
});
const inRoot = (roles: string[]) => caller({ organisationId: ROOT, roles });
const inAcme = (roles: string[]) => caller({ roles });

const callers = {
  'admin of root': inRoot(['Admin']),
  'provider in root': inRoot(['Application_Provider', 'Organization_Admin']),
  'infrastructure in root': inRoot(['Infrastructure_Provider']),
  'nobody in root': inRoot([]),
  'admin of acme': inAcme(['Admin']),
  'organisation admin': inAcme(['Organization_Admin']),
  'application provider': inAcme(['Application_Provider']),
  'infrastructure provider': inAcme(['Infrastructure_Provider']),
  'plain member': inAcme([]),
  'both providers': inAcme(['Application_Provider', 'Infrastructure_Provider']),
  'former member': caller({ isMember: false }),
  'read token of an organisation admin': caller({ roles: ['Organization_Admin'], scopes: ['read'] }),
  'write token of an organisation admin': caller({ roles: ['Organization_Admin'], scopes: ['write'] }),
} as const;

const objects: Readonly<Record<string, AccessObject>> = {
  'own in root': { kind: 'application', ownerUserId: 'u', organisationId: ROOT },
  'own in acme': { kind: 'application', ownerUserId: 'u', organisationId: ACME },
  'own without place': { kind: 'application', ownerUserId: 'u' },
  'foreign in root': { kind: 'application', ownerUserId: 'v', organisationId: ROOT },
  'foreign of old times': { kind: 'application', ownerUserId: 'v' },
  'foreign in acme': { kind: 'application', ownerUserId: 'v', organisationId: ACME },
  'foreign elsewhere': { kind: 'application', ownerUserId: 'v', organisationId: 'other-id' },
  'common cluster': { kind: 'cluster' },
  'cluster of acme': { kind: 'cluster', organisationId: ACME },
  'worker elsewhere': { kind: 'worker', organisationId: 'other-id' },
};

const ACTIONS: Readonly<Record<string, Action>> = {
  c: 'create',
  r: 'read',
  u: 'change',
  d: 'deploy',
  x: 'remove',
};
const all = 'crudx';
const own = 'rudx';
const provider = 'rud';

/** What each may with what, in letters; the columns are the objects above. */
const matrix: Readonly<Record<keyof typeof callers, readonly string[]>> = {
  'admin of root': [all, all, all, all, all, all, all, all, all, all],
  'provider in root': [all, own, all, '', '', '', '', 'r', '', ''],
  'infrastructure in root': [all, own, all, '', '', '', '', all, '', ''],
  'nobody in root': [all, own, all, '', '', '', '', 'r', '', ''],
  'admin of acme': [own, all, all, '', '', own, '', 'r', all, ''],
  'organisation admin': [own, all, all, '', '', own, '', 'r', all, ''],
  'application provider': [own, all, all, '', '', provider, '', 'r', 'r', ''],
  'infrastructure provider': [own, own, own, '', '', 'r', '', 'r', all, ''],
  'plain member': [own, own, own, '', '', 'r', '', 'r', 'r', ''],
  'both providers': [own, all, all, '', '', provider, '', 'r', all, ''],
  'former member': [own, own, own, '', '', '', '', 'r', '', ''],
  'read token of an organisation admin': ['r', 'r', 'r', '', '', 'r', '', 'r', 'r', ''],
  'write token of an organisation admin': [own, all, all, '', '', own, '', 'r', all, ''],
};

const cells = Object.entries(matrix).flatMap(([who, row]) =>
  Object.entries(objects).map(([what, object], column) => ({
    who,
    what,
    object,
    expected: row[column] ?? 'missing',
  })),
);

describe('who may do what', () => {
  it.each(cells)('$who with $what: $expected', ({ who, object, expected }) => {
    const principal = callers[who as keyof typeof callers];
    const allowed = Object.entries(ACTIONS).filter(
      ([, action]) => authorize({ caller: principal, action, object }).isAllowed,
    );
    expect(allowed.map(([letter]) => letter).join('')).toBe(expected);
  });

  it('is never opened by a name that objects inherit', () => {
    const tricky = inAcme(['constructor', '__proto__', 'toString']);
    const object = { kind: 'application', ownerUserId: 'v', organisationId: ACME } as const;
    expect(authorize({ caller: tricky, action: 'change', object }).isAllowed).toBe(false);
  });
});

describe('in handlers', () => {
  const notFound = () => new Error('no such application');
  const shared = { kind: 'application', ownerUserId: 'v', organisationId: ACME } as const;

  it('what one may not read does not exist, the rest says which role is missing', () => {
    const stranger = {
      caller: callers['nobody in root'],
      action: 'change',
      object: shared,
      notFound,
    } as const;
    expect(() => requireAllowed(stranger)).toThrow('no such application');
    const member = { caller: callers['plain member'], action: 'change', object: shared, notFound } as const;
    expect(() => requireAllowed(member)).toThrow(
      expect.objectContaining({
        kind: 'forbidden',
        message: expect.stringContaining('Application_Provider'),
      }),
    );
    expect(() =>
      requireAllowed({ caller: callers['application provider'], action: 'deploy', object: shared, notFound }),
    ).not.toThrow();
  });
});
