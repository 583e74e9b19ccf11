import type { SqliteEngine } from './sqlite-engine.ts';
import { failureOf, StoreFault } from './sqlite-failure.ts';
import type { ThreadMessage, ThreadReply, ThreadRequest } from './thread-protocol.ts';

/** A group takes no more statements than this, so that a read never waits behind an endless transaction. */
const groupLimitStatements = 5_000;

type CommitRequest = Extract<ThreadRequest, { kind: 'commit' }>;

export interface RequestQueueOptions {
  readonly engine: SqliteEngine;
  readonly send: (message: ThreadMessage) => void;
  /** Takes over what arrived while the thread was busy, so that it joins the next group. */
  readonly receive: () => readonly ThreadRequest[];
  readonly nowMs: () => number;
}

export interface RequestQueue {
  /** Works until nothing can go on. `finished`: the thread has to end. */
  work(): 'waiting' | 'finished';
}

/**
 * Takes requests in order and forms groups: the commits that wait at one moment go together, up to the next
 * request that is neither a commit nor a read. A read sees every commit that was submitted before it.
 */
export function createRequestQueue({ engine, send, receive, nowMs }: RequestQueueOptions): RequestQueue {
  let waiting: ThreadRequest[] = [];
  let session: number | undefined;
  let isClosed = false;

  function answer(id: number, action: () => ThreadReply['result'], sql?: string): void {
    let reply: ThreadReply;
    try {
      const result = action();
      reply = result === undefined ? { id } : { id, result };
    } catch (thrown) {
      reply = { id, failure: failureOf(thrown, sql) };
    }
    send({ replies: [reply] });
  }

  function takeGroup(): CommitRequest[] {
    const group: CommitRequest[] = [];
    const rest: ThreadRequest[] = [];
    let statements = 0;
    let isGroupOpen = true;
    for (const request of waiting) {
      if (isGroupOpen && request.kind === 'commit' && statements < groupLimitStatements) {
        group.push(request);
        statements += request.statements.length;
      } else {
        isGroupOpen &&= request.kind === 'read';
        rest.push(request);
      }
    }
    waiting = rest;
    return group;
  }

  function commitWaiting(): void {
    const group = takeGroup();
    const startedMs = nowMs();
    const { failures, syncs } = engine.commitGroup(group);
    const replies = group.map(({ id }, index): ThreadReply => {
      const failure = failures[index];
      return failure === undefined ? { id } : { id, failure };
    });
    send({ replies, group: { batches: group.length, syncs, durationMs: nowMs() - startedMs } });
  }

  /** Inside of a transaction only its own requests go on. */
  function takeNext(): ThreadRequest | undefined {
    const index =
      session === undefined
        ? 0
        : waiting.findIndex((request) => 'session' in request && request.session === session);
    return index < 0 ? undefined : waiting.splice(index, 1)[0];
  }

  function requireSession(wanted: number): void {
    if (session !== wanted) {
      throw new StoreFault('session', 'the transaction has ended');
    }
  }

  function handle(request: Exclude<ThreadRequest, CommitRequest>): void {
    switch (request.kind) {
      case 'read':
        answer(request.id, () => engine.read(request.statement), request.statement.sql);
        return;
      case 'execute':
        answer(
          request.id,
          () => {
            if (request.session !== undefined) {
              requireSession(request.session);
            }
            return engine.execute(request.statement);
          },
          request.statement.sql,
        );
        return;
      case 'begin':
        answer(request.id, () => {
          engine.begin(request.durability, request.references);
          session = request.session;
          return undefined;
        });
        return;
      case 'end':
        answer(request.id, () => {
          requireSession(request.session);
          session = undefined;
          engine.end(request.outcome);
          return undefined;
        });
        return;
      case 'backup':
        answer(request.id, () => {
          engine.backup(request.path, request.mark);
          return undefined;
        });
        return;
      case 'close':
        isClosed = true;
        answer(request.id, () => {
          engine.close();
          return undefined;
        });
    }
  }

  return {
    work() {
      while (!isClosed) {
        if (engine.isSpent) {
          send({ replies: [], isLeaving: true });
          return 'finished';
        }
        waiting.push(...receive());
        if (session === undefined && waiting[0]?.kind === 'commit') {
          commitWaiting();
          continue;
        }
        const request = takeNext();
        if (request === undefined) {
          break;
        }
        if (request.kind !== 'commit') {
          handle(request);
        }
      }
      return isClosed ? 'finished' : 'waiting';
    },
  };
}
