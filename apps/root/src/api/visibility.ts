import { OakestraError } from '@oakestra/contracts';
import type { Applications, ApplicationView } from '../applications/index.ts';
import { type Action, authorize, isRootAdmin, type Principal, requireAllowed } from '../identity/index.ts';

type Owned = Pick<ApplicationView, 'ownerUserId' | 'organisationId'>;

/** Who sees and does what: owners, organisations that share, administrators of root. */
export interface Visibility {
  maySee(caller: Principal, owned: Owned): boolean;
  /** Rejects with `notFound` what may not be seen, with `action-forbidden` what may only be seen. */
  require(request: {
    readonly caller: Principal;
    readonly action: Action;
    readonly owned: Owned;
    readonly notFound: () => OakestraError;
  }): void;
  /** Oldest first. */
  visibleTo(caller: Principal, applications: Applications): Promise<readonly ApplicationView[]>;
}

export function createVisibility(): Visibility {
  const objectOf = ({ ownerUserId, organisationId }: Owned) =>
    ({ kind: 'application', ownerUserId, organisationId }) as const;
  const maySee = (caller: Principal, owned: Owned): boolean =>
    authorize({ caller, action: 'read', object: objectOf(owned) }).isAllowed;
  return {
    maySee,
    require: ({ caller, action, owned, notFound }) =>
      requireAllowed({ caller, action, object: objectOf(owned), notFound }),
    async visibleTo(caller, applications) {
      const isShared = isRootAdmin(caller) || !caller.isInRootOrganisation;
      const candidates = isShared ? await applications.all() : await applications.ownedBy(caller.userId);
      return candidates.filter((application) => maySee(caller, application));
    },
  };
}

export function applicationNotFound(id: string | undefined): OakestraError {
  return new OakestraError('not-found', 'application-not-found', `There is no application ${id}.`);
}
