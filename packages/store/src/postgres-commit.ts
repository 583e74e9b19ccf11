import { OakestraError } from '@oakestra/contracts';
import { type Clock, type Random, sleep } from '@oakestra/daemon';
import { checkedByServer, isUnexpectedChange } from './postgres-condition.ts';
import { isContention } from './postgres-failure.ts';
import type { PipelineOutcome } from './postgres-pipeline.ts';
import type { PostgresPool, PostgresSession } from './postgres-pool.ts';
import { StoreFault } from './sqlite-failure.ts';
import type { Batch, Durability, WireStatement } from './thread-protocol.ts';

const plain = (sql: string): WireStatement => ({ sql, parameters: [] });
/** As with SQLite nobody comes in between, here also from another process. */
const begin = plain('BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE');
const withoutSync = plain('SET LOCAL synchronous_commit = off');
const commit = plain('COMMIT');

const contentionDeadlineMs = 10_000;
const firstPauseMs = 4;
const longestPauseMs = 250;

/** The statements that open a transaction. */
export function beginStatements(durability: Durability): readonly WireStatement[] {
  return durability === 'full' ? [begin] : [begin, withoutSync];
}

/** Ends a transaction; throws when it was undone instead. */
export async function commitSession(pool: PostgresPool, session: PostgresSession): Promise<void> {
  checkCommitted(pool, await session.run([commit]));
}

function checkCommitted(pool: PostgresPool, { error, lastTag }: PipelineOutcome): void {
  if (error !== undefined) {
    throw pool.failure(error, { purpose: 'write' });
  }
  if (lastTag !== 'COMMIT') {
    const fault = new StoreFault('session', 'an earlier failure has already undone the transaction');
    throw pool.failure(fault, { purpose: 'write' });
  }
}

/** Waits longer each time, so that two that undo each other's work come apart. */
export function pauseMs(attempt: number, random: Random): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** attempt) * (0.5 + random.fraction());
}

/** A batch of the group is at fault; undefined: nobody knows which. */
class GroupFailure extends Error {
  override readonly name = 'GroupFailure';
  readonly index: number | undefined;
  readonly error: OakestraError;

  constructor(error: OakestraError, index: number | undefined) {
    super(error.message);
    this.error = error;
    this.index = index;
  }
}

interface Position {
  readonly index: number;
  readonly statement: WireStatement;
  /** The same, as the server gets it. */
  readonly sent: WireStatement;
}

function unexpected({ expectedChanges }: WireStatement): StoreFault {
  return new StoreFault('expectation', `a statement did not change ${expectedChanges} rows as expected`);
}

export interface PostgresCommitterOptions {
  readonly pool: PostgresPool;
  readonly clock: Clock;
  readonly random: Random;
}

/** Applies batches in one transaction; a failing batch fails alone. One entry per batch: what went wrong with it. */
export function createPostgresCommitter({ pool, clock, random }: PostgresCommitterOptions) {
  function faultAt({ index, statement }: Position, error: unknown): GroupFailure {
    return new GroupFailure(pool.failure(error, { purpose: 'write', sql: statement.sql }), index);
  }

  function faultOf(outcome: PipelineOutcome, leading: number, positions: readonly Position[]) {
    const { error, results } = outcome;
    const failedAt = positions[results.length - leading];
    if (error !== undefined) {
      if (failedAt === undefined) {
        return new GroupFailure(pool.failure(error, { purpose: 'write' }), undefined);
      }
      const isUnexpected = isUnexpectedChange(error, failedAt.statement);
      return faultAt(failedAt, isUnexpected ? unexpected(failedAt.statement) : error);
    }
    const wrong = positions.find(({ sent }, order) => {
      return sent.expectedChanges !== undefined && sent.expectedChanges !== results[leading + order]?.changes;
    });
    return wrong === undefined ? undefined : faultAt(wrong, unexpected(wrong.statement));
  }

  async function applyOnce(batches: readonly Batch[]): Promise<void> {
    const leading = beginStatements(
      batches.some(({ durability }) => durability === 'full') ? 'full' : 'normal',
    );
    const positions = batches.flatMap(({ statements }, index) =>
      statements.map((statement): Position => ({ index, statement, sent: checkedByServer(statement) })),
    );
    const statements = [...leading, ...positions.map(({ sent }) => sent)];
    // One trip, unless a condition is left that somebody has to look at before the end.
    const isOpen = positions.some(({ sent }) => sent.expectedChanges !== undefined);
    const session = await pool.session('write');
    try {
      const outcome = await session.run(isOpen ? statements : [...statements, commit]);
      const fault = faultOf(outcome, leading.length, positions);
      if (fault !== undefined) {
        await session.undo();
        throw fault;
      }
      if (isOpen) {
        await commitSession(pool, session);
      } else {
        checkCommitted(pool, outcome);
      }
    } finally {
      session.release();
    }
  }

  /** Again while others are in the way: nothing was applied then. */
  async function applyTogether(batches: readonly Batch[]): Promise<void> {
    const startedMs = clock.monotonicMs();
    for (let attempt = 0; ; attempt += 1) {
      try {
        await applyOnce(batches);
        return;
      } catch (thrown) {
        const error = thrown instanceof GroupFailure ? thrown.error : thrown;
        if (!isContention(error) || clock.monotonicMs() - startedMs > contentionDeadlineMs) {
          throw thrown;
        }
        await sleep(clock, pauseMs(attempt, random));
      }
    }
  }

  async function applyGroup(batches: readonly Batch[]): Promise<(OakestraError | undefined)[]> {
    let failed: number | undefined;
    try {
      await applyTogether(batches);
      return batches.map(() => undefined);
    } catch (thrown) {
      const error = asError(thrown instanceof GroupFailure ? thrown.error : thrown);
      // After a lost connection nobody knows what was applied, so applying again could apply twice.
      if (batches.length === 1 || error.kind === 'unavailable' || isContention(error)) {
        return batches.map(() => error);
      }
      failed = thrown instanceof GroupFailure ? thrown.index : undefined;
    }
    const parts =
      failed === undefined
        ? batches.map((batch) => [batch])
        : [batches.slice(0, failed), batches.slice(failed, failed + 1), batches.slice(failed + 1)];
    const outcomes: (OakestraError | undefined)[] = [];
    for (const part of parts.filter(({ length }) => length > 0)) {
      outcomes.push(...(await applyGroup(part)));
    }
    return outcomes;
  }

  function asError(thrown: unknown): OakestraError {
    return thrown instanceof OakestraError ? thrown : pool.failure(thrown, { purpose: 'write' });
  }

  return { applyGroup };
}
