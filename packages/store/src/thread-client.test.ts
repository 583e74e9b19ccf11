import { Worker } from 'node:worker_threads';
import { OakestraError } from '@oakestra/contracts';
import { expect, it } from 'vitest';
import { type LogLine, recordingLogger, testClock } from './test-ports.ts';
import { createThreadClient } from './thread-client.ts';
import type { ThreadRequestBody } from './thread-protocol.ts';

const settings = { path: 'test.db', busyTimeoutMs: 0, syncDelayMs: 0 };
const read = (sql: string): ThreadRequestBody => ({ kind: 'read', statement: { sql, parameters: [] } });

/** A thread that answers with its own number, and does as it is told by the SQL text. */
function scriptedThreads(): { start: () => Worker; started: () => number } {
  let started = 0;
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    parentPort.on('message', ({ id, kind, statement }) => {
      if (statement?.sql === 'die') process.exit(1);
      if (statement?.sql === 'leave') {
        parentPort.postMessage({ replies: [{ id }], isLeaving: true });
        parentPort.close();
        return;
      }
      parentPort.postMessage({ replies: [{ id, result: { rows: [], changes: workerData, lastInsertId: 0 } }] });
      if (kind === 'close') parentPort.close();
    });`;
  return {
    start() {
      started += 1;
      return new Worker(script, { eval: true, workerData: started });
    },
    started: () => started,
  };
}

it('a thread that ends unexpectedly fails what waits, and the next request gets a new one', async () => {
  const threads = scriptedThreads();
  const lines: LogLine[] = [];
  const logger = recordingLogger((line) => lines.push(line));
  const client = createThreadClient({ settings, logger, clock: testClock, startThread: threads.start });
  expect((await client.request(read('1'))).changes).toBe(1);
  const outcomes = await Promise.allSettled([client.request(read('die')), client.request(read('2'))]);
  for (const outcome of outcomes) {
    const error = outcome.status === 'rejected' ? outcome.reason : undefined;
    expect(error).toBeInstanceOf(OakestraError);
    expect(error).toMatchObject({ kind: 'unavailable', code: 'store-thread-ended' });
  }
  expect(lines.map((line) => line.level)).toEqual(['error']);
  expect((await client.request(read('3'))).changes).toBe(2);
  await client.close();
});

it('a thread that leaves hands what it has not answered to its successor, in order', async () => {
  const threads = scriptedThreads();
  const client = createThreadClient({
    settings,
    logger: recordingLogger(),
    clock: testClock,
    startThread: threads.start,
  });
  const order: string[] = [];
  const ask = (sql: string) =>
    client.request(read(sql)).then(({ changes }) => order.push(`${sql}:${changes}`));
  await Promise.all([ask('a'), ask('leave'), ask('b'), ask('c')]);
  expect(order).toEqual(['a:1', 'leave:0', 'b:2', 'c:2']);
  expect(threads.started()).toBe(2);
  await client.close();
});

it('refuses more than fits into memory while the disk does not follow, and takes requests again later', async () => {
  const threads = scriptedThreads();
  const client = createThreadClient({
    settings,
    logger: recordingLogger(),
    clock: testClock,
    startThread: threads.start,
  });
  const large = read('x'.repeat(10 * 1024 * 1024));
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => client.request(large)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  expect((outcomes[3] as PromiseRejectedResult).reason).toMatchObject({
    kind: 'exhausted',
    code: 'store-overloaded',
  });
  expect((await client.request(large)).changes).toBe(1);
  await client.close();
});

it('a client that was never used closes without starting a thread', async () => {
  const threads = scriptedThreads();
  const client = createThreadClient({
    settings,
    logger: recordingLogger(),
    clock: testClock,
    startThread: threads.start,
  });
  await client.close();
  expect(threads.started()).toBe(0);
});
