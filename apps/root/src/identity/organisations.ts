import { OakestraError } from '@oakestra/contracts';
import { newId, type Random } from '@oakestra/daemon';
import type { Statement, Store } from '@oakestra/store';
import { requireRoles } from './account-rules.ts';
import type { Accounts, Membership, OrganisationRecord } from './accounts.ts';
import type { Trail } from './audit-trail.ts';
import { requireAdmin, requireAuthorityOverOrganisation } from './authority.ts';
import { ROOT_ORGANISATION } from './default-admin.ts';
import { commitKeepingAdmin } from './keep-admin.ts';
import type { Caller } from './principal.ts';
import type { IdentitySchema } from './schema.ts';

export interface OrganisationMember {
  readonly userId: string;
  readonly roles: readonly string[];
}

export interface Organisation extends OrganisationRecord {
  readonly members: readonly OrganisationMember[];
}

/** Organisations and who belongs to them (root-api 3.7, 4.3). */
export interface Organisations {
  all(): Promise<readonly Organisation[]>;
  /** Rejects `organisation-invalid`, `organisation-exists`, `role-missing`. */
  create(organisation: Omit<Organisation, 'id'>, by: Caller): Promise<Organisation>;
  /**
   * What is absent stays; members are replaced as a whole. Rejects as `create`, and `organisation-not-found`,
   * `organisation-protected` (root keeps its name), `administrator-last`.
   */
  update(
    id: string,
    changes: { readonly name?: string; readonly members?: readonly OrganisationMember[] },
    by: Caller,
  ): Promise<void>;
  /** Users stay. Rejects `organisation-not-found`, `organisation-protected`, `role-missing`. */
  remove(id: string, by: Caller): Promise<void>;
}

interface Parts {
  readonly store: Store<IdentitySchema>;
  readonly accounts: Accounts;
  readonly trail: Trail;
  readonly random: Random;
  /** After a change of who may do what. */
  readonly forget: () => void;
}

const LONGEST_NAME = 256;
const CONTROL = /\p{Cc}/u;

export function createOrganisations({ store, accounts, trail, random, forget }: Parts): Organisations {
  const { db } = store;
  return {
    async all() {
      const [organisations, memberships] = await Promise.all([
        accounts.organisations(),
        accounts.memberships(),
      ]);
      const members = new Map<string, OrganisationMember[]>();
      for (const { organisationId, userId, roles } of memberships) {
        members.set(organisationId, [...(members.get(organisationId) ?? []), { userId, roles }]);
      }
      return organisations.map((record) => ({ ...record, members: members.get(record.id) ?? [] }));
    },

    async create({ name, members }, by) {
      requireAdmin(by);
      requireName(name);
      await requireMembers(members);
      const id = newId(random);
      const event = { action: 'organisation.create', object: { kind: 'organisation', id, name } };
      await commit(name, [
        ...accounts.insertions({ organisations: [{ id, name }], memberships: membershipsOf(id, members) }),
        ...trail.of(by, { ...event, details: { members: summaryOf(members) } }),
      ]);
      return { id, name, members };
    },

    async update(id, { name, members }, by) {
      const { name: oldName } = await existing(id, by);
      const newName = name ?? oldName;
      if (newName !== oldName) {
        requireName(newName);
        if (oldName === ROOT_ORGANISATION) throw isProtected('renamed');
      }
      const statements: Statement[] = [
        db.updateTable('organisations').set({ name: newName }).where('id', '=', id),
      ];
      if (members !== undefined) {
        await requireMembers(members);
        statements.push(
          db.deleteFrom('memberships').where('organisation_id', '=', id),
          ...accounts.insertions({ memberships: membershipsOf(id, members) }),
        );
      }
      const details = {
        ...(newName === oldName ? {} : { oldName }),
        ...(members === undefined ? {} : { members: summaryOf(members) }),
      };
      const object = { kind: 'organisation', id, name: newName };
      await commit(newName, [
        ...statements,
        ...trail.of(by, { action: 'organisation.change', object, details }),
      ]);
    },

    async remove(id, by) {
      const { name } = await existing(id, by);
      if (name === ROOT_ORGANISATION) throw isProtected('deleted');
      const event = { action: 'organisation.delete', object: { kind: 'organisation', id, name } };
      await commit(name, [db.deleteFrom('organisations').where('id', '=', id), ...trail.of(by, event)]);
    },
  };

  async function existing(id: string, by: Caller): Promise<OrganisationRecord> {
    requireAdmin(by);
    const organisation = await accounts.organisationById(id);
    if (organisation === undefined) {
      const message = `There is no organisation with the id ${id}. List them with GET /api/organization.`;
      throw new OakestraError('not-found', 'organisation-not-found', message);
    }
    requireAuthorityOverOrganisation(by, id);
    return organisation;
  }

  async function commit(name: string, statements: readonly Statement[]): Promise<void> {
    try {
      await commitKeepingAdmin(store, statements);
    } catch (cause) {
      if (!(cause instanceof OakestraError) || cause.code !== 'store-constraint') throw cause;
      const message = `There is an organisation ${name} already; choose another name.`;
      throw new OakestraError('conflict', 'organisation-exists', message, { cause });
    }
    forget();
  }

  async function requireMembers(members: readonly OrganisationMember[]): Promise<void> {
    const known = new Set((await accounts.all()).map(({ id }) => id));
    const seen = new Set<string>();
    for (const { userId, roles } of members) {
      if (!known.has(userId)) throw invalid(`member: there is no user with the id ${userId}.`);
      if (seen.has(userId)) throw invalid(`member: the user with the id ${userId} is there twice.`);
      seen.add(userId);
      requireRoles(roles);
    }
  }
}

function requireName(name: string): void {
  if (name.trim() !== '' && name.length <= LONGEST_NAME && !CONTROL.test(name)) return;
  throw invalid(`name: an organisation needs a name of up to ${LONGEST_NAME} printable characters.`);
}

function membershipsOf(organisationId: string, members: readonly OrganisationMember[]): Membership[] {
  return members.map(({ userId, roles }) => ({ organisationId, userId, roles: [...new Set(roles)] }));
}

/** For the journal: who, with which roles. */
function summaryOf(members: readonly OrganisationMember[]): string[] {
  return members.map(({ userId, roles }) => `${userId}: ${roles.join(' ')}`);
}

function isProtected(what: string): OakestraError {
  const message = `The organisation ${ROOT_ORGANISATION} cannot be ${what}: logins without organisation need it.`;
  return new OakestraError('conflict', 'organisation-protected', message);
}

function invalid(message: string): OakestraError {
  return new OakestraError('invalid', 'organisation-invalid', message);
}
