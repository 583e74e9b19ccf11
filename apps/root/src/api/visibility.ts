import type { Applications, ApplicationView } from '../applications/index.ts';
import type { Principal } from '../identity/index.ts';

/** Who sees what: users their own, administrators everything. */
export interface Visibility {
  maySee(caller: Principal, owned: { readonly ownerUserId: string }): boolean;
  /** Oldest first. */
  ownOf(caller: Principal, applications: Applications): Promise<readonly ApplicationView[]>;
}

export function createVisibility(): Visibility {
  const seesAll = ({ roles }: Principal): boolean => roles.includes('Admin');
  return {
    maySee: (caller, { ownerUserId }) => ownerUserId === caller.userId || seesAll(caller),
    ownOf: (caller, applications) =>
      seesAll(caller) ? applications.all() : applications.ownedBy(caller.userId),
  };
}
