/*
 * The rules of docs/api.md ("Who may do what") as lines. Groups of columns: nobody, root, acme, tokens of the Admin of
 * root, tokens of the Organization_Admin of acme (`columns.ts`).
 */

/** No token is needed. */
export const ANYBODY = '+ +++ +++++ +++ +++';
export const USERS_READ = '! +++ +++++ +++ +++';
export const USERS_CHANGE = '! +++ +++++ -++ -++';
/** What decides over an account takes a login. */
export const LOGINS = '! +++ +++++ --- ---';
/** It concerns the whole installation. */
export const ROOT_ADMINS = '! +-- ----- --+ ---';
/** As far as the organisation goes: `Admin` of an organisation other than root ends there. */
export const ADMINS = '! +-- +---- --+ ---';
/** Administrators have the list; those of another organisation do not find there what is foreign to them. */
export const ADMINS_LIST_FOREIGN = '! +-- 0---- --+ ---';
/** Also administrators: it is nobody's business. */
export const NOBODY_ELSE = '! --- ----- --- ---';

/** In root everybody creates applications, elsewhere those whose role says so. */
export const CREATE = '! +++ +++-- -++ -++';

/** Applications with their services and instances: the caller's own. */
const own = { read: USERS_READ, change: USERS_CHANGE, remove: USERS_CHANGE };

/** The clean API: `Admin` of root may everything. */
export const CLEAN = {
  read: { own: own.read, shared: '! +00 +++++ 00+ +++', foreign: '! +00 00000 00+ 000' },
  change: { own: own.change, shared: '! +00 +++-- -0+ -++', foreign: '! +00 00000 -0+ -00' },
  remove: { own: own.remove, shared: '! +00 ++--- -0+ -++', foreign: '! +00 00000 -0+ -00' },
};

/** The classic one hands over the objects of others to nobody, except where an organisation shares them. */
export const CLASSIC = {
  read: { own: own.read, shared: '! 000 +++++ 000 +++', foreign: '! 000 00000 000 000' },
  change: { own: own.change, shared: '! 000 +++-- -00 -++', foreign: '! 000 00000 -00 -00' },
  remove: { own: own.remove, shared: '! 000 ++--- -00 -++', foreign: '! 000 00000 -00 -00' },
};
