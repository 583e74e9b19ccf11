import { Sensitive } from '@oakestra/contracts';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from './registry-answer.ts';
import { parseChallenges } from './registry-auth.ts';
import { connectionError } from './registry-errors.ts';
import { allowsPlainHttp, isLoopbackHost, registryEndpoints } from './registry-settings.ts';

describe('registryEndpoints', () => {
  const urls = (registry: string, settings = {}) =>
    registryEndpoints(registry, { [registry]: settings }).map(({ baseUrl }) => baseUrl.href);

  it.each([
    ['registry.example', {}, 'https://registry.example/'],
    ['registry.example:5000', { plainHttp: true }, 'http://registry.example:5000/'],
    ['localhost:5000', {}, 'http://localhost:5000/'],
    ['127.3.4.5:5000', {}, 'http://127.3.4.5:5000/'],
    ['[::1]:5000', {}, 'http://[::1]:5000/'],
    ['localhost:5000', { plainHttp: false }, 'https://localhost:5000/'],
    ['localhost:5000', { caPem: 'pem' }, 'https://localhost:5000/'],
    ['10.0.0.1:5000', {}, 'https://10.0.0.1:5000/'],
    ['docker.io', {}, 'https://registry-1.docker.io/'],
  ])('reaches %s with %j at %s', (registry, settings, url) => {
    expect(urls(registry, settings)).toEqual([url]);
  });

  it('keeps the credentials of a registry from its mirrors', () => {
    const own = { username: 'a', password: new Sensitive('b') };
    const mirrored = { username: 'm', password: new Sensitive('n') };
    const registries = {
      'r.example': { mirrors: ['m.example', 'n.example'], credentials: own },
      'm.example': { credentials: mirrored },
    };
    expect(
      registryEndpoints('r.example', registries).map(({ host, credentials }) => [host, credentials]),
    ).toEqual([
      ['m.example', mirrored],
      ['n.example', undefined],
      ['r.example', own],
    ]);
  });

  it('refuses a mirror that is no host', () => {
    expect(() => registryEndpoints('r.example', { 'r.example': { mirrors: ['https://m.example'] } })).toThrow(
      expect.objectContaining({ code: 'registry-settings-invalid' }),
    );
  });
});

describe('isLoopbackHost', () => {
  it.each([
    ['localhost', true],
    ['LOCALHOST:80', true],
    ['127.0.0.1', true],
    ['127.255.0.1:5000', true],
    ['[::1]', true],
    ['[0:0:0:0:0:0:0:1]:5000', true],
    ['localhost.example', false],
    ['127.0.0.1.example', false],
    ['128.0.0.1', false],
    ['[::2]', false],
    ['10.127.0.1', false],
  ])('%s: %s', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected);
    expect(allowsPlainHttp(host, {})).toBe(expected);
  });
});

describe('parseChallenges', () => {
  it('reads one with parameters', () => {
    expect(
      parseChallenges(
        'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push"',
      ),
    ).toEqual([
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'r.example',
          scope: 'repository:a/b:pull,push',
        },
      },
    ]);
  });

  it('reads several, with quotes escaped or left out', () => {
    expect(parseChallenges('Basic realm="a \\"b\\"", Bearer realm=x , error="invalid_token"')).toEqual([
      { scheme: 'basic', parameters: { realm: 'a "b"' } },
      { scheme: 'bearer', parameters: { realm: 'x', error: 'invalid_token' } },
    ]);
    expect(parseChallenges('')).toEqual([]);
  });
});

describe('parseRetryAfter', () => {
  it('reads seconds and dates', () => {
    expect(parseRetryAfter('5', 0)).toBe(5_000);
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 10_000)).toBe(50_000);
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 90_000)).toBe(0);
    expect(parseRetryAfter('soon', 0)).toBeUndefined();
    expect(parseRetryAfter(undefined, 0)).toBeUndefined();
  });
});

describe('connectionError', () => {
  const [endpoint] = registryEndpoints('r.example', {});
  const errorOf = (code: string, text = '') => {
    if (endpoint === undefined) throw new Error('no endpoint');
    return connectionError(Object.assign(new Error(text), { code }), endpoint.baseUrl, endpoint);
  };

  it.each([
    ['ENOTFOUND', 'registry-unreachable', 'unknown to DNS'],
    ['ECONNREFUSED', 'registry-unreachable', 'connection refused'],
    ['ETIMEDOUT', 'registry-unreachable', 'timeout'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'registry-tls-failed', 'registries.r.example.caFile'],
    ['CERT_HAS_EXPIRED', 'registry-tls-failed', 'expired'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'registry-tls-failed', 'another name'],
  ])('explains %s', (code, expected, words) => {
    const error = errorOf(code);
    expect(error.code).toBe(expected);
    expect(error.message).toContain('r.example:443');
    expect(error.message).toContain(words);
  });

  it('looks into an error that holds one for each address', () => {
    if (endpoint === undefined) throw new Error('no endpoint');
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1:443'), { code: 'ECONNREFUSED' });
    expect(connectionError(new AggregateError([refused]), endpoint.baseUrl, endpoint).message).toContain(
      'refused',
    );
  });
});
