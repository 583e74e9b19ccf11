import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { createLogger, systemClock } from '@oakestra/daemon';
import { type TlsIdentity, tlsServerOptions } from '@oakestra/pki';
import { identityOf, openTestAuthority } from '@oakestra/pki/testing';
import { temporaryFolder } from '@oakestra/store/testing';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callerAddress, createDualServer, createHttpApp } from '../http/index.ts';
import type { Leader, Leadership, Term } from '../leadership/index.ts';
import { createForwarding, type Forwarding } from './forwarding.ts';
import { createPeerDoor, type PeerDoor } from './peer-door.ts';

const clock = systemClock();
const logger = createLogger({ output: { write: () => undefined } });
const self: Leader<Term> = { kind: 'self', term: { halt() {}, async stop() {} } };

/** What a root thinks who leads: the first of these, until a test says that it is the next. */
function leadershipOf(leaders: Leader<Term>[]): Pick<Leadership<Term>, 'leader' | 'settled'> {
  return { leader: () => leaders[0], settled: async () => leaders[0] };
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let tls: TlsIdentity;
const stops: (() => unknown)[] = [];

/** The root that leads in the end. */
let door: PeerDoor;
let addressOfHeir: string;
const heirThinks: Leader<Term>[] = [];
let asked: { method: string; url: string; body: string; caller: string; kept: unknown }[];

/** Takes what it is asked and is gone. */
let dying: Server;
let addressOfDying: string;
let taken: number;

/** The root that the client asks. */
const weThink: Leader<Term>[] = [];
let forwarding: Forwarding;
let app: FastifyInstance;

const other = (address: string, ended = new AbortController()): Leader<Term> => ({
  ...{ kind: 'other', address, ended: ended.signal },
});

beforeAll(async () => {
  folder = await temporaryFolder();
  tls = await identityOf(await openTestAuthority(join(folder.path, 'authority')), {
    ...{ role: 'root', name: 'root' },
  });
  door = createPeerDoor({ tls, logger, onCluster: () => {} });
  const heirForwarding = createForwarding({ leadership: leadershipOf(heirThinks), tls, clock, logger });
  const server = createDualServer(tls, clock);
  const face = createHttpApp({
    faces: [
      (scope) =>
        void scope.route({
          ...{ method: ['GET', 'POST'], url: '/*', config: { access: 'public' } },
          handler: async (request, reply) => {
            const { method, url, headers } = request;
            const [caller, kept] = [callerAddress(request), headers['x-mine']];
            asked.push({ method, url, body: String(request.body ?? ''), caller, kept });
            return reply.code(201).header('x-theirs', 'yes').send({ from: 'the heir' });
          },
        }),
    ],
    ...{ logger, cors: [], serverFactory: server.serverFactory },
    beforeHandlers: heirForwarding.before('api'),
  });
  await face.ready();
  door.open('api', server.answer);
  addressOfHeir = `127.0.0.1:${await door.listen({ host: '127.0.0.1', port: 0 })}`;

  dying = createServer(tlsServerOptions(tls, { requireClientCertificate: true }), (socket: TLSSocket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      taken += 1;
      weThink.shift();
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => dying.listen(0, '127.0.0.1', resolve));
  addressOfDying = `127.0.0.1:${(dying.address() as { port: number }).port}`;

  forwarding = createForwarding({ leadership: leadershipOf(weThink), tls, clock, logger });
  app = createHttpApp({
    faces: [
      (scope) => {
        scope.route({
          ...{ method: ['GET', 'POST'], url: '/*', config: { access: 'public' } },
          handler: async () => ({ from: 'ourselves' }),
        });
        scope.get('/anywhere', { config: { access: 'public', anyRoot: true } }, async () => ({
          from: 'any',
        }));
      },
    ],
    ...{ logger, cors: [] },
    beforeHandlers: forwarding.before('api'),
  });
  stops.push(
    () => app.close(),
    () => forwarding.stop(),
    () => heirForwarding.stop(),
    () => face.close(),
  );
  stops.push(
    () => dying.close(),
    () => door.close(),
    () => folder.remove(),
  );
});
afterAll(async () => {
  for (const stop of stops) await stop();
});
beforeEach(() => {
  heirThinks.splice(0, 9, self);
  weThink.splice(0, 9, other(addressOfHeir));
  [asked, taken] = [[], 0];
});

const ask = (method: 'GET' | 'POST', url: string, more: InjectOptions = {}) =>
  app.inject({ method, url, remoteAddress: '192.0.2.77', ...more });
const isFromHeir = { from: 'the heir' };

describe('a request that needs the leader', () => {
  it('is answered by it as if it had been asked, and hears who asks', async () => {
    const answer = await ask('POST', '/deep/er?x=1&y=%20', { payload: 'Grüße', headers: { 'x-mine': 'm' } });
    expect([answer.statusCode, answer.headers['x-theirs'], answer.json()]).toEqual([201, 'yes', isFromHeir]);
    const expected = {
      method: 'POST',
      url: '/deep/er?x=1&y=%20',
      body: 'Grüße',
      caller: '192.0.2.77',
      kept: 'm',
    };
    expect(asked).toEqual([expected]);
  });

  it('is answered here when this root leads, or when any root may', async () => {
    expect((await ask('GET', '/anywhere')).json()).toEqual({ from: 'any' });
    weThink.splice(0, 9, self);
    expect((await ask('POST', '/x')).json()).toEqual({ from: 'ourselves' });
    expect(asked).toEqual([]);
  });

  it('cannot pretend to come from elsewhere', async () => {
    const headers = { 'x-oakestra-caller': '127.0.0.1', 'x-oakestra-door': 'nowhere' };
    expect((await ask('GET', '/x', { headers })).statusCode).toBe(201);
    expect(asked.map(({ caller }) => caller)).toEqual(['192.0.2.77']);
  });

  it('goes to the next leader when it cannot have reached the first', async () => {
    const unreachable = other('127.0.0.1:1');
    weThink.unshift(unreachable);
    setTimeout(() => weThink.shift(), 120);
    expect((await ask('POST', '/x')).json()).toEqual(isFromHeir);
    expect(asked).toHaveLength(1);
  });

  it('goes to the next leader when the first says that it does not lead', async () => {
    // Each believes that the other one leads, until both know.
    heirThinks.splice(0, 9, other('127.0.0.1:1'));
    setTimeout(() => heirThinks.splice(0, 9, self), 120);
    expect((await ask('POST', '/x')).json()).toEqual(isFromHeir);
    expect(asked).toHaveLength(1);
  });

  it('is never sent twice when it changes something: who asks hears that nobody knows', async () => {
    weThink.unshift(other(addressOfDying));
    const answer = await ask('POST', '/x', { payload: '{}' });
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'not-stored' });
    expect([taken, asked.length]).toEqual([1, 0]);
  });

  it('is sent again when it only reads, or carries a key that makes it safe', async () => {
    const key = { 'idempotency-key': 'k' };
    for (const again of [() => ask('GET', '/x'), () => ask('POST', '/api/v2/x', { headers: key })]) {
      weThink.unshift(other(addressOfDying));
      expect((await again()).json()).toEqual(isFromHeir);
    }
    expect([taken, asked.length]).toEqual([2, 2]);
    // Where nobody looks at the key it makes nothing safe.
    weThink.unshift(other(addressOfDying));
    expect((await ask('POST', '/api/x', { headers: key })).statusCode).toBe(503);
  });

  it('waits no longer for a leader that was replaced', async () => {
    const silent = createServer(tlsServerOptions(tls, { requireClientCertificate: true }), (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        weThink.shift();
        ended.abort();
      });
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const ended = new AbortController();
    weThink.unshift(other(`127.0.0.1:${(silent.address() as { port: number }).port}`, ended));
    expect((await ask('GET', '/x')).json()).toEqual(isFromHeir);
    silent.close();
  });

  it('is refused clearly when nobody leads', async () => {
    weThink.splice(0, 9);
    const answer = await ask('POST', '/x');
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '2']);
    expect(answer.json()).toMatchObject({ code: 'no-leader' });
  });

  it('is not taken from anybody who is no root of this installation', async () => {
    const strangers = await openTestAuthority(join(folder.path, 'strangers'));
    const stranger = await identityOf(strangers, { role: 'root', name: 'root' });
    const theirs = createForwarding({ leadership: leadershipOf(weThink), tls: stranger, clock, logger });
    const mallory = createHttpApp({
      faces: [(scope) => void scope.get('/x', { config: { access: 'public' } }, async () => ({}))],
      ...{ logger, cors: [], beforeHandlers: theirs.before('api') },
    });
    expect((await mallory.inject({ url: '/x' })).json()).toMatchObject({ code: 'leader-unreachable' });
    theirs.stop();
    expect(asked).toEqual([]);
  });
});
