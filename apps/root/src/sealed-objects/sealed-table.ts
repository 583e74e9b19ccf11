import type { Statement, Store } from '@oakestra/store';
import type { SealedObjectsSchema } from './schema.ts';
import type { SealedKind, SealedObject, SealedVersion } from './sealed-objects.ts';

export type BareObject = Omit<SealedObject, 'versions'>;

/** The stored objects. Reads see what is committed; statements are for batches. */
export interface SealedTable {
  find(kind: SealedKind, id: string): Promise<SealedObject | undefined>;
  all(kind?: SealedKind): Promise<readonly SealedObject[]>;
  sealed(id: string, version: number): Promise<string | undefined>;
  everySealed(): Promise<
    readonly { readonly id: string; readonly version: number; readonly sealed: string }[]
  >;
  insertion(object: BareObject): Statement;
  /** Changes nothing when the newest version is another one by now. */
  update(object: BareObject, newestBefore: number): ReturnType<typeof updateOf>;
  versionInsertion(id: string, version: SealedVersion & { readonly sealed: string }): Statement;
  resealing(id: string, version: number, sealed: string): Statement;
  versionDeletion(id: string, version: number): Statement;
  deletions(id: string): Statement[];
}

/** What the content of a version is sealed for: it opens nowhere else. */
export const purposeOf = (id: string, version: number): string => `root ${id} ${version}`;

type ObjectRow = SealedObjectsSchema['sealed_objects'];
type VersionRow = Omit<SealedObjectsSchema['sealed_versions'], 'sealed'>;

const VERSION_COLUMNS = ['object_id', 'version', 'size_bytes', 'is_text', 'created_at_ms'] as const;

export function createSealedTable({ db }: Store<SealedObjectsSchema>): SealedTable {
  const versionsOf = (id: string) => db.deleteFrom('sealed_versions').where('object_id', '=', id);
  return {
    async find(kind, id) {
      const row = await db
        .selectFrom('sealed_objects')
        .selectAll()
        .where('id', '=', id)
        .where('kind', '=', kind)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const versions = db.selectFrom('sealed_versions').select(VERSION_COLUMNS).where('object_id', '=', id);
      return objectFrom(row, await versions.execute());
    },
    async all(kind) {
      const objects = db.selectFrom('sealed_objects').selectAll();
      const rows = await (kind === undefined ? objects : objects.where('kind', '=', kind)).execute();
      const versions = new Map<string, VersionRow[]>();
      for (const version of await db.selectFrom('sealed_versions').select(VERSION_COLUMNS).execute()) {
        versions.set(version.object_id, [...(versions.get(version.object_id) ?? []), version]);
      }
      return rows.map((row) => objectFrom(row, versions.get(row.id) ?? []));
    },
    async sealed(id, version) {
      const query = db.selectFrom('sealed_versions').select('sealed').where('object_id', '=', id);
      return (await query.where('version', '=', version).executeTakeFirst())?.sealed;
    },
    async everySealed() {
      const query = db.selectFrom('sealed_versions').select(['object_id as id', 'version', 'sealed']);
      return (await query.execute()).map((row) => ({ ...row, version: Number(row.version) }));
    },
    insertion: (object) => db.insertInto('sealed_objects').values(rowOf(object)),
    update: (object, newestBefore) => updateOf(db, object, newestBefore),
    versionInsertion: (id, { version, sealed, sizeBytes, isText, createdAtMs }) =>
      db.insertInto('sealed_versions').values({
        ...{ object_id: id, version, sealed },
        ...{ size_bytes: sizeBytes, is_text: isText ? 1 : 0, created_at_ms: createdAtMs },
      }),
    resealing: (id, version, sealed) =>
      db
        .updateTable('sealed_versions')
        .set({ sealed })
        .where('object_id', '=', id)
        .where('version', '=', version),
    versionDeletion: (id, version) => versionsOf(id).where('version', '=', version),
    deletions: (id) => [versionsOf(id), db.deleteFrom('sealed_objects').where('id', '=', id)],
  };
}

function updateOf(db: Store<SealedObjectsSchema>['db'], object: BareObject, newestBefore: number) {
  return db
    .updateTable('sealed_objects')
    .set({ description: object.description, newest_version: object.newestVersion })
    .where('id', '=', object.id)
    .where('newest_version', '=', newestBefore);
}

function rowOf(object: BareObject): ObjectRow {
  const { id, kind, name, description } = object;
  return {
    ...{ id, kind, name, description, newest_version: object.newestVersion },
    ...{ owner_user_id: object.ownerUserId, organisation_id: object.organisationId },
  };
}

function objectFrom(row: ObjectRow, versions: readonly VersionRow[]): SealedObject {
  const { id, kind, name, description } = row;
  return {
    ...{ id, kind: kind as SealedKind, name, description },
    ...{ ownerUserId: row.owner_user_id, organisationId: row.organisation_id },
    newestVersion: Number(row.newest_version),
    versions: versions.map(versionFrom).sort((a, b) => b.version - a.version),
  };
}

function versionFrom(row: VersionRow): SealedVersion {
  return {
    version: Number(row.version),
    sizeBytes: Number(row.size_bytes),
    isText: row.is_text === 1,
    createdAtMs: Number(row.created_at_ms),
  };
}
