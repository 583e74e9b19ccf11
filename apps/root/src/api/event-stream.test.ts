import { mkdtemp, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, systemClock, systemRandom } from '@oakestra/daemon';
import { openSqliteStore, type Store } from '@oakestra/store';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type EventJournal, type EventsSchema, eventsMigrations, openEventJournal } from '../events/index.ts';
import { problemOf, sendProblem } from '../http/index.ts';
import { streamEvents } from './event-stream.ts';

const clock = systemClock();
const logger = createLogger({ output: { write: () => undefined } });
let folder: string;
let store: Store<EventsSchema>;
let journal: EventJournal;
let app: FastifyInstance;
let stopping: AbortController;
let address: string;
const open: IncomingMessage[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-stream-'));
  const path = join(folder, 'root.db');
  store = await openSqliteStore({
    path,
    migrations: eventsMigrations,
    logger,
    clock,
    random: systemRandom(),
  });
  journal = await openEventJournal({ store, clock, logger, kept: 40 });
  stopping = new AbortController();
  app = Fastify();
  app.setErrorHandler((error, request, reply) => sendProblem(reply, problemOf(error, request.id)));
  app.get<{ Querystring: { after?: string } }>('/', async (request, reply) => {
    await streamEvents(reply, {
      ...{ journal, clock, stopping: stopping.signal },
      isWanted: ({ detail }) => detail !== 'secret',
      afterId: request.query.after,
    });
    return reply;
  });
  address = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const response of open.splice(0)) response.destroy();
  stopping.abort();
  await app.close();
  await journal.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

interface Stream {
  readonly status: number | undefined;
  text(): string;
  details(): string[];
  ids(): string[];
  readonly ended: Promise<void>;
  close(): void;
}

function follow(after?: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const query = after === undefined ? '' : `?after=${after}`;
    get(`${address}/${query}`, (response) => {
      open.push(response);
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const lines = (name: string): string[] =>
        text
          .split('\n')
          .flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []));
      resolve({
        status: response.statusCode,
        text: () => text,
        details: () => lines('data').map((data) => (JSON.parse(data) as { detail: string }).detail),
        ids: () => lines('id'),
        ended: new Promise((done) => response.once('close', () => done())),
        close: () => response.destroy(),
      });
    }).once('error', reject);
  });
}

const say = (detail: string): void => journal.add({ kind: 'instance-changed', ownerUserId: 'u', detail });

it('tells what happens from now on, and only what one may know', async () => {
  say('before');
  const stream = await follow();
  await vi.waitFor(() => expect(stream.text()).toContain('hello'));
  say('one');
  say('secret');
  say('two');
  await vi.waitFor(() => expect(stream.details()).toEqual(['one', 'two']));
});

it('goes on where it was cut, without a gap or a repetition', async () => {
  const first = await follow();
  await vi.waitFor(() => expect(first.text()).toContain('hello'));
  say('0');
  await vi.waitFor(() => expect(first.ids()).toHaveLength(1));
  first.close();
  await first.ended;
  for (let number = 1; number < 5; number += 1) say(String(number));
  const second = await follow(first.ids()[0]);
  for (let number = 5; number < 10; number += 1) say(String(number));
  await vi.waitFor(() => expect(second.details()).toHaveLength(9));
  expect(second.details()).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
});

it('says when what was missed is not kept any more', async () => {
  const old = `${journal.life}-1`;
  for (let number = 0; number < 100; number += 1) {
    say(String(number));
    await journal.after(journal.lastSeq(), 1);
  }
  const stream = await follow(old);
  await vi.waitFor(() => expect(stream.text()).toContain('event: reset'));
  say('new');
  await vi.waitFor(() => expect(stream.text()).toContain('"new"'));
  const other = await follow('00000000-1');
  await vi.waitFor(() => expect(other.text()).toContain('event: reset'));
});

it('refuses an id that is none', async () => {
  expect((await follow('x')).status).toBe(400);
});

it('ends when the root stops', async () => {
  const stream = await follow();
  stopping.abort();
  await stream.ended;
});
