import type { InjectOptions } from 'fastify';
import { urlOf } from './ask.ts';
import type { Port } from './ports.ts';
import type { Row } from './row.ts';
import { LAST_EVENT, type World } from './world.ts';

const ADMIN = { name: 'Admin', user: 'Admin' };
const NOT_THERE = 'f'.repeat(24);

/**
 * What a port answers, byte by byte, as one text: each route of the table to an administrator, and to everything
 * about it that is wrong. Only what is random by nature is left out.
 */
export async function answersOf(world: World, port: Port, rows: readonly Row[]): Promise<string> {
  const texts: string[] = [];
  for (const row of rows) {
    texts.push(`### ${row.route}`);
    const numbered = numberedIds();
    const seen = new Map<string, string>();
    for (const [what, request] of requestsOf(world, row)) {
      const answer =
        row.isStream === true && what === 'right'
          ? await streamed(port, request, world.events.life)
          : await plain(port, request);
      const shown = numbered(masked(answer.replaceAll(world.events.life, '<life>')));
      const same = [...seen].find(([, other]) => other === shown);
      if (same === undefined) seen.set(what, shown);
      texts.push(same === undefined ? `--- ${what}\n${shown}` : `--- ${what}: as ${same[0]}`);
      if (request.method !== 'GET') await world.reset();
    }
  }
  return `${texts.join('\n')}\n`;
}

function requestsOf(world: World, row: Row): [string, InjectOptions][] {
  const target = world.targetFor(ADMIN, 'own');
  const { access, refresh } = world.credentialsOf(ADMIN);
  const token = row.withRefreshToken === true ? refresh : access;
  const [method = '', pattern = ''] = row.route.split(' ');
  const url = urlOf(pattern, target);
  const authorization = { authorization: `Bearer ${token}` };
  const base = { method: method as 'GET', remoteAddress: '127.0.0.1', headers: authorization };
  const payload = row.body === undefined ? {} : { payload: row.body(target) as object };
  const missing = pattern.replaceAll(/:(\w+)/g, (_, name: string) => (name === 'number' ? '9' : NOT_THERE));
  const requests: [string, InjectOptions][] = [
    ['right', { ...base, url, ...payload }],
    ['without a token', { ...base, url, ...payload, headers: {} }],
    [
      'with a token of somebody else',
      { ...base, url, ...payload, headers: { authorization: 'Bearer x.y.z' } },
    ],
  ];
  if (missing !== pattern) requests.push(['about what is not there', { ...base, url: missing, ...payload }]);
  if (method !== 'GET') {
    const json = { ...authorization, 'content-type': 'application/json' };
    for (const [what, body] of [
      ['with no JSON', '{"a": '],
      ['with a list', '[]'],
      ['with nothing in it', '{}'],
      ['without a body', ''],
    ] as const) {
      requests.push([what, { ...base, url, headers: json, payload: body }]);
    }
  }
  return requests;
}

async function plain({ app }: Port, request: InjectOptions): Promise<string> {
  const { statusCode, headers, body } = await app.inject(request);
  return textOf(statusCode, headers, body);
}

/** From the first event to the last one. */
async function streamed({ app }: Port, request: InjectOptions, life: string): Promise<string> {
  const headers = { ...request.headers, 'last-event-id': `${life}-0` };
  const reply = await app.inject({ ...request, headers, payloadAsStream: true });
  const stream = reply.stream();
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.includes(LAST_EVENT)) break;
  }
  stream.destroy();
  return textOf(reply.statusCode, reply.headers, text);
}

/** Descriptions of the interfaces and pages are longer, and have tests of their own. */
const LONGEST_BODY = 20_000;
const LONGEST_PAGE = 500;
const SHOWN = 200;

/** Headers that clients act on. */
const HEADERS = ['content-type', 'location', 'allow', 'retry-after', 'cache-control', 'www-authenticate'];

function textOf(status: number, headers: Readonly<Record<string, unknown>>, body: string): string {
  const lines = HEADERS.flatMap((name) => (headers[name] === undefined ? [] : [`${name}: ${headers[name]}`]));
  const isText = String(headers['content-type']).startsWith('text/');
  const isLong = body.length > (isText ? LONGEST_PAGE : LONGEST_BODY);
  return [status, ...lines, isLong ? `${body.slice(0, SHOWN)} and so on` : body].join('\n');
}

/** Ids by the order in which a row shows them, so that a new row changes nothing about the others. */
function numberedIds(): (text: string) => string {
  const numbers = new Map<string, number>();
  return (text) =>
    text.replaceAll(/\b[0-9a-f]{24}\b/g, (id) => {
      if (id === NOT_THERE) return id;
      numbers.set(id, numbers.get(id) ?? numbers.size + 1);
      return `<id ${numbers.get(id)}>`;
    });
}

function masked(text: string): string {
  return text
    .replaceAll(/^((?:oakestra|nodejs|process)_\S+) \S+$/gm, '$1 <number>')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replaceAll(/"id":"0\d{15,}[0-9a-f]+"/g, '"id":"<audit id>"')
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<signed token>')
    .replaceAll(/oak_[\w-]+/g, 'oak_<secret>')
    .replaceAll(/-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----/gs, '<public key>')
    .replaceAll(/"kid":"[^"]+"/g, '"kid":"<key id>"');
}
