import type { Identity, PersonalToken } from '../identity/index.ts';
import type { SomeHandlers } from './handlers.ts';

/** What people do with their own account, and administrators with the key of all tokens. */
export function identityHandlers({
  identity,
}: {
  readonly identity: Pick<Identity, 'personalTokens' | 'endSessions' | 'rotateSigningKey'>;
}): SomeHandlers<'createToken' | 'listTokens' | 'revokeToken' | 'endSessions' | 'rotateSigningKey'> {
  const { personalTokens } = identity;
  return {
    async createToken({ body: { name, scopes, expiresAt }, caller }) {
      const life = expiresAt === undefined ? {} : { expiresAtMs: Date.parse(expiresAt) };
      const created = await personalTokens.create({ name, scopes, ...life }, caller);
      return { ...tokenResource(created), token: created.token };
    },
    listTokens: async ({ caller }) => ({ items: (await personalTokens.list(caller)).map(tokenResource) }),
    async revokeToken({ parameters, caller }) {
      await personalTokens.revoke(parameters.tokenId ?? '', caller);
      return undefined;
    },
    async endSessions({ query, caller }) {
      await identity.endSessions(caller.userName, caller, { andPersonalTokens: query.tokens === 'true' });
      return undefined;
    },
    async rotateSigningKey({ body: { endOldTokens = false }, caller }) {
      await identity.rotateSigningKey(caller, { endOldTokens });
      return undefined;
    },
  };
}

function tokenResource({ id, name, scopes, organisationId, createdAtMs, expiresAtMs }: PersonalToken) {
  return {
    ...{ id, name, organisationId },
    scopes: [...scopes],
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
}
