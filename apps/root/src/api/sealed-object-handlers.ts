import { OakestraError } from '@oakestra/contracts';
import type { SealedObjectResource } from '@oakestra/contracts/api';
import type { Action, Principal } from '../identity/index.ts';
import type { SealedKind, SealedObject, SealedObjects } from '../sealed-objects/index.ts';
import type { ApiCall, SomeHandlers } from './handlers.ts';
import { pageOf } from './paging.ts';
import type { Visibility } from './visibility.ts';

type Created = Pick<ApiCall<'createSecret'>, 'body' | 'caller'>;
type Listed = Pick<ApiCall<'listSecrets'>, 'query' | 'caller'>;
type Changed = Pick<ApiCall<'putSecret'>, 'parameters' | 'body' | 'caller' | 'requireMatch'>;
type Named = Pick<ApiCall<'deleteSecret'>, 'parameters' | 'caller' | 'requireMatch'>;

/** Secrets and configs: alike, but for what a config holds, which can be read. They are shared as applications are. */
export function sealedObjectHandlers(parts: {
  readonly sealedObjects: SealedObjects;
  readonly visibility: Visibility;
}): SomeHandlers<
  | ('createSecret' | 'listSecrets' | 'readSecret' | 'putSecret' | 'deleteSecret')
  | ('createConfig' | 'listConfigs' | 'readConfig' | 'putConfig' | 'deleteConfig')
> {
  const { sealedObjects, visibility } = parts;
  const secrets = handlersOf('secret');
  const configs = handlersOf('config');
  return {
    createSecret: secrets.create,
    listSecrets: secrets.list,
    readSecret: secrets.read,
    putSecret: secrets.put,
    deleteSecret: secrets.remove,
    createConfig: configs.create,
    listConfigs: configs.list,
    putConfig: configs.put,
    deleteConfig: configs.remove,
    async readConfig({ parameters, query, caller }) {
      const config = await allowed('config', parameters, caller, 'read');
      const version = query.version ?? config.newestVersion;
      const bytes = Buffer.from((await sealedObjects.content(config.id, version)).reveal());
      const isText = config.versions.find((kept) => kept.version === version)?.isText ?? false;
      const content = { version, text: isText ? bytes.toString() : null, base64: bytes.toString('base64') };
      return { ...resourceOf(config), content };
    },
  };

  function handlersOf(kind: SealedKind) {
    return {
      async create({ body, caller }: Created): Promise<SealedObjectResource> {
        const owned = { ownerUserId: caller.userId, organisationId: undefined };
        visibility.require({ caller, action: 'create', owned, notFound: () => notFound(kind, '') });
        return resourceOf(await sealedObjects.create({ ...body, kind }, caller));
      },
      async list({ query, caller }: Listed) {
        const seen = (await sealedObjects.all(kind)).filter(
          (object) =>
            visibility.maySee(caller, object) && (query.name === undefined || query.name === object.name),
        );
        const { items, nextCursor } = pageOf(seen, ({ name, id }) => `${name} ${id}`, query);
        return { items: items.map(resourceOf), nextCursor };
      },
      read: async ({ parameters, caller }: Pick<Named, 'parameters' | 'caller'>) =>
        resourceOf(await allowed(kind, parameters, caller, 'read')),
      async put({ parameters, body, caller, requireMatch }: Changed): Promise<SealedObjectResource> {
        const object = await allowed(kind, parameters, caller, 'change');
        requireMatch(resourceOf(object));
        return resourceOf(await sealedObjects.put(object, body, caller));
      },
      async remove({ parameters, caller, requireMatch }: Named): Promise<undefined> {
        const object = await allowed(kind, parameters, caller, 'remove');
        requireMatch(resourceOf(object));
        await sealedObjects.remove(object, caller);
      },
    };
  }

  async function allowed(
    kind: SealedKind,
    parameters: Readonly<Record<string, string>>,
    caller: Principal,
    action: Action,
  ): Promise<SealedObject> {
    const id = parameters[`${kind}Id`] ?? '';
    const object = await sealedObjects.find(kind, id);
    if (object === undefined) throw notFound(kind, id);
    visibility.require({ caller, action, owned: object, notFound: () => notFound(kind, id) });
    return object;
  }
}

function resourceOf(object: SealedObject): SealedObjectResource {
  const { id, name, description, ownerUserId, newestVersion, versions } = object;
  return {
    ...{ id, name, description, ownerUserId, version: newestVersion },
    versions: versions.map(({ version, sizeBytes, createdAtMs }) => ({
      ...{ version, sizeBytes, createdAt: new Date(createdAtMs).toISOString() },
    })),
  };
}

function notFound(kind: SealedKind, id: string): OakestraError {
  return new OakestraError('not-found', 'sealed-object-not-found', `There is no ${kind} ${id}.`);
}
