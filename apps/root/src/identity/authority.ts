import { OakestraError } from '@oakestra/contracts';
import type { Membership } from './accounts.ts';
import { isRootAdmin, type Principal } from './principal.ts';

/** All reject `role-missing` (forbidden). */
export function requireAdmin({ roles }: Principal): void {
  if (!roles.includes('Admin')) throw notAllowed();
}

/** For what concerns the whole installation. */
export function requireRootAdmin(by: Principal): void {
  if (!isRootAdmin(by)) throw notAllowed();
}

/**
 * The role `Admin` of an organisation other than root ends at that organisation, or it would be a way to the
 * whole installation: changing the password of its administrator, or joining root.
 */
export function requireAuthorityOverUser(by: Principal, memberships: readonly Membership[]): void {
  requireAdmin(by);
  if (isRootAdmin(by)) return;
  const isOnlyHere = memberships.every(({ organisationId }) => organisationId === by.organisationId);
  if (!isOnlyHere || memberships.length === 0) {
    throw notAllowed('The user belongs to other organisations, too; an administrator of root can do this.');
  }
}

export function requireAuthorityOverOrganisation(by: Principal, organisationId: string): void {
  requireAdmin(by);
  if (isRootAdmin(by) || by.organisationId === organisationId) return;
  throw notAllowed('This is another organisation; an administrator of root can do this.');
}

function notAllowed(message = 'You have not enough permissions!'): OakestraError {
  return new OakestraError('forbidden', 'role-missing', message);
}
