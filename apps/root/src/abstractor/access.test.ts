import { OakestraError } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import { recordingLogger } from '@oakestra/store/testing';
import { expect, it } from 'vitest';
import { abstractorAccess } from './access.ts';
import { createAbstractorFace } from './index.ts';
import { createMemoryPorts } from './testing/memory-ports.ts';

const identity = {
  async authenticate(token: string) {
    const roles = { admin: ['Admin'], bob: ['Application_Provider'] }[token];
    if (roles === undefined)
      throw new OakestraError('unauthenticated', 'token-malformed', 'Not enough segments');
    return { userId: token, userName: token, organisationId: '', roles } as never;
  },
};
const app = createAbstractorFace({
  ...{ ...createMemoryPorts(createManualClock().nowMs), logger: recordingLogger() },
  authorize: abstractorAccess({ identity, isLegacyAddress: (address) => address === '192.0.2.1' }),
});

it.each([
  ['nobody', '192.0.2.9', undefined, 401],
  ['a forger', '192.0.2.9', 'x', 401],
  ['a user', '192.0.2.9', 'bob', 403],
  ['an administrator', '192.0.2.9', 'admin', 200],
  ['an old program', '192.0.2.1', undefined, 200],
] as const)('%s from %s gets %4$s', async (_who, remoteAddress, token, status) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const reply = await app.inject({ method: 'GET', url: '/api/v1/jobs', remoteAddress, headers });
  expect(reply.statusCode).toBe(status);
});
