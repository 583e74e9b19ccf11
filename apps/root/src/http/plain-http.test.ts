import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { plainHttpPolicy } from './plain-http.ts';
import { problemOf, sendProblem } from './problem.ts';

function faceWith(allowLegacy: string[]): FastifyInstance {
  const app = Fastify();
  app.addHook('onRequest', plainHttpPolicy({ allowLegacy }));
  app.setErrorHandler((error, request, reply) => {
    return sendProblem(reply, problemOf(error, request.id));
  });
  app.get('/status', async () => 'ok');
  return app;
}

const statusFrom = async (remoteAddress: string, allowLegacy: string[] = []) =>
  (await faceWith(allowLegacy).inject({ url: '/status', remoteAddress })).statusCode;

describe('plain HTTP', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])(
    'is answered on this machine: %s',
    async (from) => {
      expect(await statusFrom(from)).toBe(200);
    },
  );

  it.each(['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1'])('is refused from %j', async (from) => {
    expect(await statusFrom(from)).toBe(426);
  });

  it.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['::ffff:192.0.2.77', '192.0.2.0/24'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::9', '2001:db8::/32'],
    ['fe80::1%eth0', 'fe80::/10'],
  ])('is answered to %s when %s is allowed, and not to others', async (from, range) => {
    expect(await statusFrom(from, [range])).toBe(200);
    expect(await statusFrom('198.51.100.1', [range])).toBe(426);
  });

  it('says where HTTPS is, and how to allow it', async () => {
    const headers = { host: 'root.example:10000' };
    const url = '/status?x=1';
    const answer = await faceWith([]).inject({ url, remoteAddress: '192.0.2.1', headers });
    expect(answer.headers.upgrade).toContain('TLS');
    expect(answer.json()).toMatchObject({ status: 426, code: 'https-required' });
    expect(answer.json().detail).toContain('https://root.example:10000/status?x=1');
    expect(answer.json().detail).toContain('--allow-legacy 192.0.2.1');
  });

  it.each(['300.0.0.0/8', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'example.org', '', '::/129'])(
    'cannot be allowed for %j',
    (range) => {
      expect(() => plainHttpPolicy({ allowLegacy: [range] })).toThrow(/no address range/);
    },
  );
});
