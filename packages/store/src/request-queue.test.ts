import { describe, expect, it } from 'vitest';
import { createRequestQueue } from './request-queue.ts';
import type { SqliteEngine } from './sqlite-engine.ts';
import type { ThreadMessage, ThreadRequest, ThreadRequestBody } from './thread-protocol.ts';

const statement = (sql: string) => ({ sql, parameters: [] });
const commit = (sql: string): ThreadRequestBody => ({
  kind: 'commit',
  statements: [statement(sql)],
  durability: 'full',
});
const read = (sql: string): ThreadRequestBody => ({ kind: 'read', statement: statement(sql) });
const begin: ThreadRequestBody = { kind: 'begin', session: 1, durability: 'full', references: 'enforced' };
const inside = (sql: string, session = 1): ThreadRequestBody => ({
  kind: 'execute',
  session,
  statement: statement(sql),
});
const end: ThreadRequestBody = { kind: 'end', session: 1, outcome: 'commit' };

/** Runs requests, one arriving batch after the other, against an engine that only notes what it was asked to do. */
function play(...arrivals: readonly ThreadRequestBody[][]) {
  const done: string[] = [];
  const sent: ThreadMessage[] = [];
  let isSpent = false;
  const result = { rows: [], changes: 0, lastInsertId: 0 };
  const note = (text: string): typeof result => {
    done.push(text);
    return result;
  };
  const engine: SqliteEngine = {
    get isSpent() {
      return isSpent;
    },
    read: ({ sql }) => note(`read ${sql}`),
    execute: ({ sql }) => note(`execute ${sql}`),
    commitGroup(batches) {
      const names = batches.map(({ statements }) => statements[0]!.sql);
      isSpent = names.includes('break the disk');
      note(`commit ${names.join('+')}`);
      return { failures: names.map(() => undefined), syncs: 1 };
    },
    begin: () => void note('begin'),
    end: (outcome) => void note(outcome),
    backup: () => void note('backup'),
    close: () => void note('close'),
  };
  let id = 0;
  let arriving: ThreadRequest[] = [];
  const queue = createRequestQueue({
    engine,
    send: (message) => sent.push(message),
    receive: () => arriving.splice(0),
    nowMs: () => 0,
  });
  let state = 'waiting';
  for (const bodies of arrivals) {
    arriving = bodies.map((body) => {
      id += 1;
      return { ...body, id };
    });
    state = queue.work();
  }
  const answered = sent.flatMap(({ replies }) => replies.map((reply) => reply.id));
  const failed = sent.flatMap(({ replies }) => replies.flatMap(({ failure }) => failure?.reason ?? []));
  return { done, answered, failed, state, isLeaving: sent.some((message) => message.isLeaving) };
}

describe('the queue of the thread', () => {
  it('groups the commits that wait, and lets a read see those before it', () => {
    const { done, answered } = play([read('1'), commit('a'), read('2'), commit('b'), commit('c')]);
    expect(done).toEqual(['read 1', 'commit a+b+c', 'read 2']);
    expect(answered).toEqual([1, 2, 4, 5, 3]);
  });

  it('does not group across a transaction or a backup', () => {
    const backup: ThreadRequestBody = { kind: 'backup', path: '', mark: '' };
    const { done } = play([commit('a'), backup, commit('b'), begin, inside('x'), end, commit('c')]);
    expect(done).toEqual(['commit a', 'backup', 'commit b', 'begin', 'execute x', 'commit', 'commit c']);
  });

  it('keeps everybody else waiting during a transaction', () => {
    const { done, failed } = play(
      [begin],
      [commit('a'), read('1'), inside('x')],
      [inside('y', 2), inside('z'), end],
      [inside('late')],
    );
    expect(done).toEqual(['begin', 'execute x', 'execute z', 'commit', 'commit a', 'read 1']);
    // The statements of a transaction that is not open, or not any more.
    expect(failed).toEqual(['session', 'session']);
  });

  it('leaves when the disk failed, without having touched what it does not answer', () => {
    const { done, answered, state, isLeaving } = play([
      commit('break the disk'),
      read('1'),
      commit('a'),
      read('2'),
    ]);
    expect(done).toEqual(['commit break the disk+a']);
    expect(answered).toEqual([1, 3]);
    expect([state, isLeaving]).toEqual(['finished', true]);
  });

  it('finishes with the closing', () => {
    const { done, state } = play([commit('a'), { kind: 'close' }, commit('b')]);
    expect(done).toEqual(['commit a', 'close']);
    expect(state).toBe('finished');
  });
});
