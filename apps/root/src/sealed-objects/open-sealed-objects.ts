import {
  messageOf,
  OakestraError,
  SEALED_REFERENCES_FIELD,
  type Sensitive,
  type ServiceDocument,
} from '@oakestra/contracts';
import { type Clock, createSerially, type Logger, newId, type Random } from '@oakestra/daemon';
import type { Sealer } from '@oakestra/pki';
import { expectChanges, type Statement, type Store } from '@oakestra/store';
import type { AuditWriter } from '../audit/index.ts';
import type { Caller } from '../identity/index.ts';
import { createNewestVersions } from './newest-versions.ts';
import { resolveReferences } from './resolution.ts';
import { type CheckedContent, checkedContent, requireDescription, requireName } from './rules.ts';
import type { SealedObjectsSchema } from './schema.ts';
import type { SealedObject, SealedObjects } from './sealed-objects.ts';
import { type BareObject, createSealedTable, purposeOf } from './sealed-table.ts';
import { type UsingService, useOf } from './use.ts';

interface SealedObjectsOptions {
  readonly store: Store<SealedObjectsSchema>;
  readonly audit: Pick<AuditWriter, 'entry'>;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Does this organisation share what its members create? */
  readonly isShared: (organisationId: string) => Promise<boolean>;
  /** All that may refer to one. */
  readonly services: () => readonly UsingService[];
}

/** Versions that nobody uses are kept, too, so that one can look back; but not all of them. */
const KEPT_VERSIONS = 10;

/** Opens the room, and seals anew what an earlier key sealed. */
export async function openSealedObjects(options: SealedObjectsOptions): Promise<SealedObjects> {
  const { store, audit, sealer, clock, random, logger } = options;
  const table = createSealedTable(store);
  const serially = createSerially();
  const newest = createNewestVersions(await table.all());
  const usesOf = (object: BareObject) =>
    useOf(object, options.services(), (reference) => newest.of(reference) !== undefined);

  await sealAnew().catch((error: unknown) => {
    logger.warn('secrets and configs were not sealed with the new key; the next start tries again', {
      reason: messageOf(error),
    });
  });

  return {
    async create({ kind, name, description = '', ...given }, by) {
      requireName(name);
      requireDescription(description);
      const content = checkedContent(kind, given);
      const owner = { ownerUserId: by.userId, organisationId: by.organisationId };
      const object = { id: newId(random), kind, name, description, ...owner, newestVersion: 1 };
      const statements = [
        table.insertion(object),
        versionOf(object, content),
        audited('create', object, by, content),
      ];
      await commit(statements, 'store-constraint', () => exists(object));
      return existing(object);
    },

    put: (object, { description = object.description, ...given }, by) =>
      serially(object.id, async () => {
        requireDescription(description);
        const hasContent = given.text !== undefined || given.base64 !== undefined;
        const content = hasContent ? checkedContent(object.kind, given) : undefined;
        const next: BareObject = {
          ...object,
          description,
          newestVersion: object.newestVersion + (content === undefined ? 0 : 1),
        };
        const statements = [
          expectChanges(table.update(next, object.newestVersion)),
          ...(content === undefined ? [] : [versionOf(next, content), ...pruning(object)]),
          audited('change', next, by, content),
        ];
        await commit(statements, 'store-expectation', () => stale(object));
        return existing(next);
      }),

    remove: (object, by) =>
      serially(object.id, async () => {
        const { services } = usesOf(object);
        if (services.length > 0) throw used(object, services);
        const statements = [...table.deletions(object.id), audited('remove', object, by)];
        await store.commit(statements, { durability: 'full' });
        newest.delete(object.id);
      }),

    find: table.find,
    all: table.all,

    async content(id, version): Promise<Sensitive<Uint8Array>> {
      const sealed = await table.sealed(id, version);
      if (sealed === undefined) throw versionNotFound(version);
      return sealer.open(sealed, purposeOf(id, version));
    },

    async resolve(services, scope) {
      const isReferring = services.some(({ document }) => refersToAny(document));
      if (!isReferring) return { documents: services.map(({ document }) => document), violations: [] };
      const { organisationId } = scope;
      const isShared = organisationId !== undefined && (await options.isShared(organisationId));
      const objects = await table.all();
      const resolved = services.map(({ path, document }) =>
        resolveReferences(document, path, { ...scope, isShared }, objects),
      );
      return {
        documents: services.map(({ document }, index): ServiceDocument => {
          const references = resolved[index]?.references ?? [];
          return references.length === 0 ? document : { ...document, [SEALED_REFERENCES_FIELD]: references };
        }),
        violations: resolved.flatMap(({ violations }) => violations),
      };
    },
    pinned: newest.pinned,
    newestVersion: newest.of,
    fingerprint: sealer.fingerprint,
  };

  async function commit(
    statements: readonly Statement[],
    code: string,
    meaning: () => OakestraError,
  ): Promise<void> {
    try {
      await store.commit(statements, { durability: 'full' });
    } catch (error) {
      throw error instanceof OakestraError && error.code === code ? meaning() : error;
    }
  }

  function versionOf(
    { id, newestVersion: version }: BareObject,
    { bytes, isText }: CheckedContent,
  ): Statement {
    const facts = { version, sizeBytes: bytes.length, isText, createdAtMs: clock.nowMs() };
    return table.versionInsertion(id, { ...facts, sealed: sealer.seal(bytes, purposeOf(id, version)) });
  }

  function pruning(object: SealedObject): Statement[] {
    const inUse = usesOf(object).versions;
    return object.versions
      .slice(KEPT_VERSIONS - 1)
      .filter(({ version }) => !inUse.has(version))
      .map(({ version }) => table.versionDeletion(object.id, version));
  }

  function audited(verb: string, object: BareObject, by: Caller, content?: CheckedContent): Statement {
    const { id, kind, name, newestVersion: version } = object;
    return audit.entry({
      actor: { userId: by.userId, userName: by.userName, address: by.address },
      action: `${kind}.${verb}`,
      object: { kind, id, name },
      details: { version, ...(content === undefined ? {} : { sizeBytes: content.bytes.length }) },
    });
  }

  async function existing({ kind, id }: BareObject): Promise<SealedObject> {
    const found = await table.find(kind, id);
    if (found === undefined) throw removed(kind);
    newest.set(found);
    return found;
  }

  async function sealAnew(): Promise<void> {
    let unreadable = 0;
    for (const { id, version, sealed } of await table.everySealed()) {
      if (sealed.startsWith(`${sealer.keyId}.`)) continue;
      if (!sealer.canOpen(sealed)) {
        unreadable += 1;
        continue;
      }
      const content = sealer.open(sealed, purposeOf(id, version));
      const again = sealer.seal(content.reveal(), purposeOf(id, version));
      await store.commit([table.resealing(id, version, again)], { durability: 'full' });
    }
    if (unreadable === 0) return;
    const message = 'secrets and configs are sealed with a key that is not here: see sealing-key-file';
    logger.error(message, { versions: unreadable });
  }
}

function refersToAny({ secrets, configs }: ServiceDocument): boolean {
  return [secrets, configs].some((list) => Array.isArray(list) && list.length > 0);
}

function exists({ kind, name }: BareObject): OakestraError {
  const message = `You have a ${kind} named "${name}" already; give that one a new version, or choose another name.`;
  return new OakestraError('conflict', 'sealed-object-exists', message);
}

function stale({ kind }: BareObject): OakestraError {
  const message = `Somebody else changed this ${kind} at the same moment. Read it again, then decide.`;
  return new OakestraError('conflict', 'revision-stale', message);
}

function removed(kind: string): OakestraError {
  const message = `Somebody else removed this ${kind} at the same moment.`;
  return new OakestraError('not-found', 'sealed-object-not-found', message);
}

function used({ kind, name }: BareObject, services: readonly string[]): OakestraError {
  const shown = services.slice(0, 10).join(', ');
  const more = services.length > 10 ? ` and ${services.length - 10} more` : '';
  const message = `The ${kind} "${name}" is used by ${shown}${more}; remove these services first.`;
  return new OakestraError('conflict', 'sealed-object-used', message, {
    details: { services: [...services] },
  });
}

function versionNotFound(version: number): OakestraError {
  const message = `There is no version ${version} of it (any more).`;
  return new OakestraError('not-found', 'sealed-version-not-found', message);
}
