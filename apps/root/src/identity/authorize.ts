import { OakestraError } from '@oakestra/contracts';
import { hasScope, isRootAdmin, type Principal, type Scope } from './principal.ts';

/** `deploy`: start, scale and stop instances. `remove`: of the object itself. */
export type Action = 'create' | 'read' | 'change' | 'deploy' | 'remove';

/** Services count as the application that they belong to, workers as infrastructure like clusters. */
export interface AccessObject {
  readonly kind: 'application' | 'cluster' | 'worker';
  /** Absent for what belongs to nobody in particular. */
  readonly ownerUserId?: string | undefined;
  /**
   * Where it was created; what is created now and does not say it: where the caller is. Absent otherwise: an
   * application that is not shared, a cluster or worker that serves everybody.
   */
  readonly organisationId?: string | undefined;
}

export interface AccessRequest {
  readonly caller: Principal;
  readonly action: Action;
  readonly object: AccessObject;
}

export type AccessDecision =
  | { readonly isAllowed: true }
  | { readonly isAllowed: false; readonly reason: string };

const ALL: readonly Action[] = ['create', 'read', 'change', 'deploy', 'remove'];

interface Rights {
  readonly application: readonly Action[];
  readonly infrastructure: readonly Action[];
}

/** What a role allows in the organisation that shares an object (root-api 3.6). Members may read. */
const SHARED: ReadonlyMap<string, Rights> = new Map([
  // Of an organisation other than root: whoever administers it, not the installation.
  ['Admin', { application: ALL, infrastructure: ALL }],
  ['Organization_Admin', { application: ALL, infrastructure: ALL }],
  ['Application_Provider', { application: ['create', 'read', 'deploy', 'change'], infrastructure: ['read'] }],
  ['Infrastructure_Provider', { application: ['read'], infrastructure: ALL }],
]);

const ALLOWED: AccessDecision = { isAllowed: true };
const refused = (reason: string): AccessDecision => ({ isAllowed: false, reason });

/**
 * Whether `caller` may do `action` to `object`: administrators of root may everything, owners everything with
 * what is theirs, members of an organisation other than root share what was created there as far as their roles
 * go. In root nothing is shared, and everybody may have applications.
 */
export function authorize({ caller, action, object }: AccessRequest): AccessDecision {
  const needed: Scope = action === 'read' ? 'read' : 'write';
  if (!hasScope(caller.scopes, needed)) {
    return refused(`The personal access token lacks the scope ${needed}; create one that has it.`);
  }
  if (isRootAdmin(caller)) return ALLOWED;
  return object.kind === 'application'
    ? authorizeApplication(caller, action, object)
    : authorizeInfrastructure(caller, action, object);
}

/** Like {@link authorize}, for handlers: what the caller may not even read is answered like what does not exist. */
export function requireAllowed(request: AccessRequest & { readonly notFound: () => Error }): void {
  const decision = authorize(request);
  if (decision.isAllowed) return;
  const isVisible = request.action === 'create' || authorize({ ...request, action: 'read' }).isAllowed;
  if (!isVisible) throw request.notFound();
  throw new OakestraError('forbidden', 'action-forbidden', decision.reason);
}

function authorizeApplication(caller: Principal, action: Action, object: AccessObject): AccessDecision {
  const isOwner = object.ownerUserId !== undefined && object.ownerUserId === caller.userId;
  // Nobody owns yet what is being created.
  if (isOwner && action !== 'create') return ALLOWED;
  // What is created without saying where is created where the caller is.
  const organisationId = object.organisationId ?? (action === 'create' ? caller.organisationId : undefined);
  const isHere = caller.isMember && organisationId === caller.organisationId;
  if (action === 'create') {
    if (!isOwner) return refused('Applications are created for oneself.');
    if (!isHere) return refused('You are no member of this organisation any more. Log in to another one.');
    if (caller.isInRootOrganisation) return ALLOWED;
  }
  if (!isHere || caller.isInRootOrganisation) {
    return refused('The application belongs to somebody else and is not shared with you.');
  }
  if (action === 'read' || rolesAllow(caller, 'application', action)) return ALLOWED;
  return refused(missingRole(caller, 'Application_Provider or Organization_Admin'));
}

function authorizeInfrastructure(caller: Principal, action: Action, object: AccessObject): AccessDecision {
  const { organisationId } = object;
  const isCommon = organisationId === undefined;
  const isHere =
    caller.isMember && (isCommon ? caller.isInRootOrganisation : organisationId === caller.organisationId);
  if (action === 'read' && (isCommon || isHere)) return ALLOWED;
  if (!isHere) {
    return refused(
      isCommon
        ? 'Clusters and workers that serve everybody are managed from the organisation root.'
        : 'The cluster belongs to another organisation.',
    );
  }
  if (isCommon) {
    // Nobody's organisation but the installation itself: administering root's members is not enough.
    if (caller.roles.includes('Infrastructure_Provider')) return ALLOWED;
    return refused(missingRole(caller, 'Infrastructure_Provider or Admin'));
  }
  if (rolesAllow(caller, 'infrastructure', action)) return ALLOWED;
  return refused(missingRole(caller, 'Infrastructure_Provider or Organization_Admin'));
}

function rolesAllow(caller: Principal, kind: keyof Rights, action: Action): boolean {
  return caller.roles.some((role) => SHARED.get(role)?.[kind].includes(action) ?? false);
}

function missingRole({ userName }: Principal, roles: string): string {
  return `This needs the role ${roles} in this organisation; ask its administrator to give it to ${userName}.`;
}
