import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { OakestraError } from '../errors.ts';
import { createTestAuthority } from '../link/grpc/test-certificates.ts';
import { serverCredentials } from '../link/grpc/tls.ts';
import { createRegistrationClient } from './client.ts';
import { CS2Message, register_clusterClient } from './registration.gen.ts';
import {
  type ClusterRegistration,
  readGreeting,
  readRegistration,
  writeRegistration,
} from './registration-message.ts';
import { type RegistrationCaller, type RegistrationHandlers, registrationService } from './server.ts';

const registration: ClusterRegistration = {
  clusterName: 'edge',
  clusterLocation: '48.1,11.6,1000',
  managerPort: 10_100,
  networkComponentPort: 10_110,
  clusterInfo: {},
  advertisedAddress: undefined,
  token: undefined,
};

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function serve(
  handlers: RegistrationHandlers,
  given = ServerCredentials.createInsecure(),
): Promise<string> {
  const server = new Server();
  const { definition, implementation } = registrationService(handlers);
  server.addService(definition, implementation);
  cleanups.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('[::]:0', given, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return `127.0.0.1:${port}`;
}

function clientTo(endpoint: string) {
  const client = createRegistrationClient({ endpoint, tls: 'insecure', timeoutMs: 10_000 });
  cleanups.push(() => client.close());
  return client;
}

describe('registration', () => {
  test('a cluster greets, registers and gets its id', async () => {
    const seen: [ClusterRegistration, RegistrationCaller][] = [];
    const greetings: unknown[] = [];
    const endpoint = await serve({
      onGreeting: (greeting) => greetings.push(greeting),
      register: async (...args) => {
        seen.push(args);
        return '6b02c0ffee6b02c0ffee6b02';
      },
    });
    const id = await clientTo(endpoint).register({ ...registration, advertisedAddress: 'edge.example.org' });
    expect(id).toBe('6b02c0ffee6b02c0ffee6b02');
    expect(greetings).toEqual([{ clusterName: 'edge', location: '48.1,11.6,1000' }]);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.[0]).toEqual({ ...registration, advertisedAddress: 'edge.example.org' });
    expect(seen[0]?.[1]).toMatchObject({
      address: { address: '127.0.0.1', isLoopback: true },
      certificate: undefined,
    });
  });

  test('the root that cannot answer says UNAVAILABLE and why (Q41)', async () => {
    const failed: unknown[] = [];
    const endpoint = await serve({
      onError: (error) => failed.push(error),
      register: async () => {
        throw new OakestraError('unavailable', 'store-down', 'the store does not answer, try again');
      },
    });
    await expect(clientTo(endpoint).register(registration)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('the store does not answer, try again'),
    });
    expect(failed).toHaveLength(1);
  });

  test('the text of an unexpected error stays inside', async () => {
    const endpoint = await serve({
      register: async () => {
        throw new Error('password=hunter2');
      },
    });
    const error = await clientTo(endpoint)
      .register(registration)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'internal' });
    expect(String(error)).not.toContain('hunter2');
  });

  test('a registration that is given up rejects soon', async () => {
    const endpoint = await serve({ register: () => new Promise(() => {}) });
    const abort = new AbortController();
    const running = clientTo(endpoint).register(registration, abort.signal);
    abort.abort();
    await expect(running).rejects.toThrow(/CANCELLED/);
  });

  test('over mutual TLS the root sees the certificate of the cluster', async () => {
    const authority = createTestAuthority();
    cleanups.push(() => authority.dispose());
    let seen: RegistrationCaller | undefined;
    const register = async (_given: ClusterRegistration, caller: RegistrationCaller): Promise<string> => {
      seen = caller;
      return 'id';
    };
    const endpoint = await serve({ register }, serverCredentials(authority.issue('root')));
    const tls = authority.issue('edge');
    const client = createRegistrationClient({ endpoint, tls, serverName: 'root', timeoutMs: 10_000 });
    cleanups.push(() => client.close());
    expect(await client.register(registration)).toBe('id');
    expect(seen?.certificate?.subject.CN).toBe('edge');
  });

  test('a message without any optional value is taken (Q40)', async () => {
    const seen: ClusterRegistration[] = [];
    const endpoint = await serve({
      register: async (given) => {
        seen.push(given);
        return 'id';
      },
    });
    const client = new register_clusterClient(endpoint, credentials.createInsecure());
    cleanups.push(() => client.close());
    const message = CS2Message.decode(Buffer.concat([Buffer.from([0x1a, 4]), Buffer.from('edge')]));
    const id = await new Promise<string>((resolve, reject) => {
      client.handleInitFinal(message, (error, answer) =>
        error === null ? resolve(answer.id) : reject(error),
      );
    });
    expect(id).toBe('id');
    expect(seen).toEqual([{ ...registration, clusterLocation: 'location-unknown' }]);
  });

  test('what cannot be made good is refused by name', async () => {
    const endpoint = await serve({ register: async () => 'id' });
    const client = new register_clusterClient(endpoint, credentials.createInsecure());
    cleanups.push(() => client.close());
    const message = {
      ...writeRegistration(registration),
      clusterName: ' ',
      managerPort: 70_000,
      clusterIp: 'a b',
    };
    const error = await new Promise<unknown>((resolve) => client.handleInitFinal(message, resolve));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    for (const part of ['cluster_name is empty', 'manager_port 70000', 'cluster_ip is neither']) {
      expect(String(error)).toContain(part);
    }
  });

  test('the wire is that of the contract (root-api 8)', () => {
    const bytes = CS2Message.encode({
      ...writeRegistration(registration),
      clusterIp: '10.0.0.1',
      token: 't',
    }).finish();
    const expected = Buffer.concat([
      Buffer.from([0x08, 0xf4, 0x4e, 0x10, 0xfe, 0x4e, 0x1a, 4]),
      Buffer.from('edge'),
      Buffer.from([0x22, 0, 0x2a, 14]),
      Buffer.from('48.1,11.6,1000'),
      Buffer.from([0x32, 8]),
      Buffer.from('10.0.0.1'),
      Buffer.from([0x3a, 1, 0x74]),
    ]);
    expect(Buffer.from(bytes).toString('hex')).toBe(expected.toString('hex'));
  });

  test('tokens are masked, addresses lose their brackets', () => {
    const message = { ...writeRegistration(registration), token: 'secret', clusterIp: '[2001:db8::1]' };
    const read = readRegistration(message);
    expect(JSON.stringify(read)).not.toContain('secret');
    expect(read.token?.reveal()).toBe('secret');
    expect(read.advertisedAddress).toBe('2001:db8::1');
  });

  test('a greeting may be any text', () => {
    expect(readGreeting('hello')).toEqual({ clusterName: undefined, location: undefined });
    expect(readGreeting('{"cluster_name":"a","location":3}')).toEqual({
      clusterName: 'a',
      location: undefined,
    });
  });
});
