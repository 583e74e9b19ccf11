import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { type Client, createClient, ProblemError } from './index.ts';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server;
let client: Client;
let seen: Seen[];
/** One per request, in order; the last one answers all further requests. */
let answers: ((response: ServerResponse) => void)[];

beforeEach(async () => {
  [seen, answers] = [[], []];
  server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers, body: await text(request) });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = createClient({ baseUrl: `http://127.0.0.1:${port}`, token: () => 'secret', reconnectMs: 5 });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(value));
const event = (id: string) =>
  `id: ${id}\nevent: instance-changed\ndata: ${JSON.stringify({ id, kind: 'instance-changed' })}\n\n`;

describe('a call', () => {
  it('sends what the endpoint wants', async () => {
    answers = [json({ id: 'x', replicas: 3 }, 200, { etag: '"a.b"' })];
    const { value, etag } = await client.call('setReplicas', {
      parameters: { serviceId: 'a/b' },
      body: { replicas: 3 },
      ifMatch: '"a"',
      idempotencyKey: 'k',
    });
    expectTypeOf(value.replicas).toEqualTypeOf<number>();
    expect([value.replicas, etag]).toEqual([3, '"a.b"']);
    expect(seen).toEqual([
      expect.objectContaining({
        method: 'PUT',
        url: '/api/v2/services/a%2Fb/replicas',
        body: '{"replicas":3}',
      }),
    ]);
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer secret',
      'content-type': 'application/json',
      'if-match': '"a"',
      'idempotency-key': 'k',
    });
  });

  it('is checked by the compiler', () => {
    type Request = Parameters<typeof client.call<'setReplicas'>>[1];
    expectTypeOf<{ parameters: { serviceId: string }; body: { replicas: number } }>().toExtend<Request>();
    expectTypeOf<{ parameters: { serviceId: string } }>().not.toExtend<Request>();
    expectTypeOf<{ parameters: { other: string }; body: { replicas: number } }>().not.toExtend<Request>();
  });

  it('may have nothing to answer', async () => {
    answers = [(response) => void response.writeHead(204).end()];
    expect((await client.call('deleteService', { parameters: { serviceId: 'x' } })).value).toBeUndefined();
  });

  it('rejects with the problem that the server tells', async () => {
    const problem = {
      type: 'urn:x',
      title: 'No',
      status: 404,
      code: 'service-not-found',
      detail: 'There is none.',
    };
    answers = [json(problem, 404)];
    const error = await client
      .call('readService', { parameters: { serviceId: 'x' } })
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ message: 'There is none.', problem });
  });

  it('rejects with a problem also when somebody else answers', async () => {
    answers = [(response) => void response.writeHead(502).end('<html>')];
    await expect(client.call('readMe', {})).rejects.toMatchObject({
      problem: { status: 502, code: 'answer-strange' },
    });
  });
});

it('reads lists page by page', async () => {
  answers = [
    json({ items: [{ id: 'a' }, { id: 'b' }], nextCursor: 'c1' }),
    json({ items: [{ id: 'c' }], nextCursor: null }),
  ];
  const ids: string[] = [];
  for await (const service of client.all('listServices', { query: { name: 'x' } })) ids.push(service.id);
  expect(ids).toEqual(['a', 'b', 'c']);
  expect(seen.map(({ url }) => url)).toEqual([
    '/api/v2/services?name=x',
    '/api/v2/services?name=x&cursor=c1',
  ]);
});

describe('following events', () => {
  const stream =
    (...parts: string[]) =>
    (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const part of parts) response.write(part);
      response.end();
    };

  it('goes on where the stream was interrupted, and tells what is lost', async () => {
    const whole = event('l-2');
    answers = [
      stream(': hello\n\n', event('l-1'), whole.slice(0, 9), whole.slice(9)),
      (response) => void response.destroy(),
      stream('event: reset\ndata: {}\n\n', event('m-7')),
    ];
    const stop = new AbortController();
    const got: string[] = [];
    for await (const one of client.follow({ serviceId: 's', signal: stop.signal })) {
      got.push(one === 'reset' ? one : one.id);
      if (got.length === 4) stop.abort();
    }
    expect(got).toEqual(['l-1', 'l-2', 'reset', 'm-7']);
    expect(seen.slice(0, 3).map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      'l-2',
      'l-2',
    ]);
    expect(seen[0]?.url).toBe('/api/v2/events?serviceId=s');
  });

  it('ends when the server refuses for good', async () => {
    answers = [json({ code: 'token-expired', detail: 'No.', status: 401, type: '', title: '' }, 401)];
    const { signal } = new AbortController();
    await expect(client.follow({ signal }).next()).rejects.toMatchObject({
      problem: { code: 'token-expired' },
    });
  });
});
