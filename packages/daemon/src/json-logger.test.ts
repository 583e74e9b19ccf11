import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, type LoggerOptions } from './json-logger.ts';

const KEY = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIHcut3x\n-----END EC PRIVATE KEY-----';

function recorder(options: LoggerOptions = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    format: 'json',
    nowMs: () => Date.UTC(2026, 1, 3, 4, 5, 6, 789),
    output: { write: (line) => lines.push(line) },
    ...options,
  });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** What one info line with these fields looks like. */
function written(fields: Record<string, unknown>): Record<string, unknown> {
  const { logger, parsed } = recorder();
  logger.info('x', fields);
  const { time, level, message, ...rest } = parsed()[0] ?? {};
  expect([time, level, message]).not.toContain(undefined);
  return rest;
}

/** Masks itself as the type for secrets does. */
class Masked {
  readonly #value = 'hunter2';
  reveal() {
    return this.#value;
  }
  toJSON() {
    return '********';
  }
}

describe('createLogger', () => {
  it('writes one line of JSON with the fixed fields first', () => {
    const { logger, lines } = recorder({ fields: { component: 'root' } });
    logger.warn('cluster is slow', { clusterId: 'c1', delayMs: 12 });
    expect(lines).toEqual([
      '{"time":"2026-02-03T04:05:06.789Z","level":"warn","component":"root","message":"cluster is slow","clusterId":"c1","delayMs":12}\n',
    ]);
  });

  it('leaves out what is below its level', () => {
    const { logger, parsed } = recorder({ level: 'warn' });
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
    expect(parsed().map((line) => line.level)).toEqual(['warn', 'error']);
  });

  it('adds the fields of its ancestors; the nearest wins, the fixed ones cannot be replaced', () => {
    const { logger, parsed } = recorder();
    const child = logger.child({ component: 'broker', port: 1, level: 'fake' }).child({ port: 2 });
    child.info('listening', { time: 'never', message: 'other' });
    expect(parsed()[0]).toEqual({
      time: '2026-02-03T04:05:06.789Z',
      level: 'info',
      component: 'broker',
      message: 'listening',
      port: 2,
      level_: 'fake',
      time_: 'never',
      message_: 'other',
    });
  });

  it('does not throw when the output does', () => {
    const { logger } = recorder({
      output: {
        write: () => {
          throw new Error('EPIPE');
        },
      },
    });
    expect(() => logger.info('x')).not.toThrow();
  });
});

describe('secrets in a log', () => {
  it('are masked by the name of their field, at any depth and in any spelling', () => {
    const fields = {
      password: 'p1',
      PASSWORD: 'p2',
      dbPassword: 'p3',
      join_token: 'p4',
      'X-Auth-Token': 'p5',
      clientSecret: { value: 'p6' },
      Authorization: ['p7'],
      privateKey: Buffer.from('p8'),
      headers: new Map([['set-cookie', 'p9']]),
      deep: [{ registry: { credentials: { user: 'a', secret: 'p10' } } }],
      'api-key': 'p11',
      tokenNumber: 4711,
    };
    const { logger, lines } = recorder();
    logger.child(fields).info('x', fields);
    const text = lines.join('');
    expect(text).not.toMatch(/"p\d+"|4711|cDg=/);
    expect(text).toContain('"password":"********"');
  });

  it('leave facts about them readable', () => {
    const facts = {
      hasPassword: true,
      tokenLifetimeMs: 5000,
      secretCount: 3,
      tokenId: 't1',
      passwordFile: '/run/p',
      publicKey: 'abc',
      key: 'route',
      apiToken: null,
    };
    expect(written(facts)).toEqual(facts);
  });

  it('stay masked when they mask themselves', () => {
    expect(written({ value: new Masked(), list: [new Masked()] })).toEqual({
      value: '********',
      list: ['********'],
    });
  });

  it.each([
    ['a private key', `loaded ${KEY} from disk`, 'loaded [private key hidden] from disk'],
    ['a private key that was cut off', KEY.slice(0, 50), '[private key hidden]'],
    ['a private key in JSON', JSON.stringify({ pem: KEY }), '{"pem":"[private key hidden]"}'],
    ['a bearer token', 'sent Bearer eyJhbGciOiJFUzI1NiJ9.e30.x to', 'sent Bearer ******** to'],
    ['a password in an address', 'postgres://app:hun/ter2@db:5432/x', 'postgres://app:hun/ter2@db:5432/x'],
    ['a password in an address', 'postgres://app:hunter2@db:5432/x', 'postgres://app:********@db:5432/x'],
    ['a named value', 'GET /join?token=abc123&x=1', 'GET /join?token=********&x=1'],
  ])('are found inside texts: %s', (_, text, expected) => {
    expect(written({ text })).toEqual({ text: expected });
    const { logger, parsed } = recorder();
    logger.info(text);
    expect(parsed()[0]?.message).toBe(expected);
  });

  it('are found in errors and their causes', () => {
    const { logger, lines } = recorder();
    const cause = Object.assign(new Error('refused mqtt://u:hunter2@b'), { password: 'hunter2' });
    logger.error('x', { error: new Error(`bad ${KEY}`, { cause }) });
    expect(lines.join('')).not.toMatch(/hunter2|MHcCAQ/);
  });
});

describe('values in a log', () => {
  it('shows errors with name, code, stack and causes', () => {
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED', port: 1883 });
    const error = new TypeError('cannot reach the broker', { cause });
    const shown = written({ error }).error as Record<string, unknown>;
    expect(shown).toMatchObject({
      name: 'TypeError',
      message: 'cannot reach the broker',
      cause: { name: 'Error', message: 'connect refused', code: 'ECONNREFUSED', port: 1883 },
    });
    expect(shown.stack).toContain('json-logger.test.ts');
    const many = written({ error: new AggregateError([cause], 'all failed') }).error;
    expect(many).toMatchObject({ message: 'all failed', errors: [{ message: 'connect refused' }] });
  });

  it('shows what JSON does not know', () => {
    expect(
      written({
        big: 12n,
        none: undefined,
        nan: Number.NaN,
        date: new Date(0),
        badDate: new Date(Number.NaN),
        set: new Set([1]),
        map: new Map([['a', 1]]),
        bytes: new Uint8Array(3),
        call: () => 1,
        url: new URL('http://u:hunter2@h/'),
      }),
    ).toEqual({
      big: '12',
      nan: 'NaN',
      date: '1970-01-01T00:00:00.000Z',
      badDate: '[invalid date]',
      set: [1],
      map: { a: 1 },
      bytes: '[3 bytes]',
      call: '[function]',
      url: 'http://u:********@h/',
    });
  });

  it('survives cycles, throwing getters, throwing conversions, hostile proxies and revoked ones', () => {
    const circular: Record<string, unknown> = { name: 'loop' };
    circular.self = circular;
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const hostile = {
      get bad() {
        throw new Error('no');
      },
      good: 1,
    };
    const converting = {
      toJSON() {
        throw new Error('no');
      },
    };
    const shared = { a: 1 };
    expect(
      written({ circular, hostile, converting, revoked: revoked.proxy, twice: [shared, shared] }),
    ).toEqual({
      circular: { name: 'loop', self: '[circular]' },
      hostile: { bad: '[unreadable]', good: 1 },
      converting: '[unreadable]',
      revoked: '[unreadable]',
      twice: [shared, shared],
    });
    const { logger, lines } = recorder();
    logger.info('x', revoked.proxy);
    logger.child(revoked.proxy).info('y');
    expect(lines).toHaveLength(2);
  });

  it('takes a field called __proto__ for a field', () => {
    const { logger, lines } = recorder();
    logger.info('x', JSON.parse('{"__proto__":{"a":1},"list":[{"__proto__":2}]}'));
    expect(lines[0]).toContain('"__proto__":{"a":1},"list":[{"__proto__":2}]');
  });

  it('bounds depth, lists and texts', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 50; level++) deep = { deep };
    const { logger, lines } = recorder();
    logger.info('x', {
      deep,
      list: Array(5000).fill(1),
      text: 'y'.repeat(1e6),
      keys: { ...Array(5000).fill(1) },
    });
    expect(lines[0]).toContain('[too deep]');
    expect(lines[0]).toContain('4900 more');
    expect(lines[0]?.length).toBeLessThan(25_000);
  });

  it('gives one valid line for anything', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
        }),
        (message, value) => {
          for (const format of ['json', 'text'] as const) {
            const { logger, lines } = recorder({ format });
            logger.info(message, { value });
            expect(lines).toHaveLength(1);
            expect(lines[0]?.slice(0, -1)).not.toContain('\n');
            if (format === 'json') expect(JSON.parse(lines[0] ?? '')).toHaveProperty('level', 'info');
          }
        },
      ),
    );
  });
});

describe('the text form', () => {
  it('is the default on a terminal, with colours there only', () => {
    const lines: string[] = [];
    const write = (line: string) => lines.push(line);
    const nowMs = () => 0;
    createLogger({ nowMs, output: { write, isTTY: true } }).info('up');
    createLogger({ nowMs, output: { write, isTTY: true }, format: 'json' }).info('up');
    createLogger({ nowMs, output: { write } }).info('up');
    createLogger({ nowMs, output: { write }, format: 'text' }).info('up');
    expect(lines[0]).toContain('\u001b[36mINFO');
    expect(lines[1]).toMatch(/^\{/);
    expect(lines[2]).toMatch(/^\{/);
    expect(lines[3]).toBe('00:00:00.000 INFO  up\n');
  });

  it('shows component, fields and stacks readably', () => {
    const { logger, lines } = recorder({ format: 'text' });
    const error = new Error('cannot listen', { cause: new Error('port taken') });
    logger
      .child({ component: 'api' })
      .error('not started', { port: 10_000, where: 'two words', list: [1], error });
    const [head, ...stack] = (lines[0] ?? '').split('\n');
    expect(head).toBe(
      '04:05:06.789 ERROR api not started port=10000 where="two words" list=[1] error="cannot listen"',
    );
    expect(stack.join('\n')).toMatch(/^ {4}Error: cannot listen\n[\s\S]*caused by Error: port taken/);
  });

  it('does not let a text fake a line or move the cursor', () => {
    const { logger, lines } = recorder({ format: 'text' });
    logger.info('a\n00:00:00.000 INFO  fake \u001b[2J', { 'k\u001b': 'v\r\u009b' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not appear
    expect(lines.join('').slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});
