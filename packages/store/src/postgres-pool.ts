import { messageOf, type OakestraError, type Sensitive } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import { type ClientBase, Pool, type PoolClient } from 'pg';
import { type FailureContext, postgresError } from './postgres-failure.ts';
import { ConnectionLost, type PipelineOutcome, runPipeline } from './postgres-pipeline.ts';
import { readPostgresUrl } from './postgres-url.ts';
import type { WireStatement } from './thread-protocol.ts';

/** Changes go in order through one connection; reads share a few. */
const readerLimit = 3;
const connectTimeoutMs = 5_000;
const idleTimeoutMs = 60_000;
const keepAliveAfterMs = 10_000;
const statementTimeoutMs = 10_000;
const lockTimeoutMs = 5_000;
/** A root that froze or vanished inside of a transaction lets go of its locks after this time. */
const idleInTransactionTimeoutMs = 750;

export type Role = 'read' | 'write';

export interface RunOptions {
  /** For what may rightly take long: no deadline for the answer. */
  readonly isUnlimited?: boolean;
}

/** A connection while one task has it. */
export interface PostgresSession {
  /** Sends all in one trip. What a statement did wrong is in the outcome; rejects when the connection is lost. */
  run(statements: readonly WireStatement[], options?: RunOptions): Promise<PipelineOutcome>;
  /** Undoes an open transaction; where a statement is still running, `release` does it by closing. Never fails. */
  undo(): Promise<void>;
  /** Gives it back; one that is lost, busy or inside of a transaction is closed instead. */
  release(): void;
}

export interface PostgresPool {
  /** The address without password, for messages. */
  readonly store: string;
  session(role: Role): Promise<PostgresSession>;
  failure(thrown: unknown, context: Pick<FailureContext, 'purpose' | 'sql'>): OakestraError;
  close(): Promise<void>;
}

export interface PostgresPoolOptions {
  readonly url: Sensitive;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly replyTimeoutMs: number;
}

/** Settings of the session, not of the start-up message: connection poolers refuse unknown ones there. */
function sessionSettings(role: Role): WireStatement[] {
  return [
    `SET statement_timeout = ${statementTimeoutMs}`,
    `SET lock_timeout = ${lockTimeoutMs}`,
    `SET idle_in_transaction_session_timeout = ${idleInTransactionTimeoutMs}`,
    `SET default_transaction_read_only = ${role === 'read' ? 'on' : 'off'}`,
    "SET bytea_output = 'hex'",
  ].map((sql) => ({ sql, parameters: [] }));
}

export function createPostgresPool(options: PostgresPoolOptions): PostgresPool {
  const { url, logger, clock, replyTimeoutMs } = options;
  const { shown: store, secrets, isInTheClear } = readPostgresUrl(url);
  if (isInTheClear) {
    logger.warn('the connection to the store is not encrypted: add ?sslmode=verify-full to its URL', {
      store,
    });
  }
  const pools: Readonly<Record<Role, Pool>> = { read: open('read', readerLimit), write: open('write', 1) };

  function open(role: Role, max: number): Pool {
    const pool = new Pool({
      connectionString: url.reveal(),
      max,
      connectionTimeoutMillis: connectTimeoutMs,
      idleTimeoutMillis: idleTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveAfterMs,
      allowExitOnIdle: true,
      fallback_application_name: 'oakestra',
      // Typed as if nobody waited for it, but the pool does.
      onConnect: (client) => prepareConnection(client, role) as unknown as undefined,
    });
    pool.on('error', (error) => {
      const { message } = failure(new ConnectionLost(messageOf(error)), { purpose: role });
      logger.debug('an idle connection to the store ended', { store, reason: message });
    });
    return pool;
  }

  async function prepareConnection(client: ClientBase, role: Role): Promise<void> {
    const limits = { clock, replyTimeoutMs: connectTimeoutMs };
    const { error } = await runPipeline(client, sessionSettings(role), limits);
    if (error !== undefined) {
      throw error;
    }
  }

  function failure(thrown: unknown, context: Pick<FailureContext, 'purpose' | 'sql'>): OakestraError {
    return postgresError(thrown, { store, secrets, ...context });
  }

  function sessionOver(client: PoolClient, role: Role): PostgresSession {
    let status = 'I';
    let running = 0;
    async function run(
      statements: readonly WireStatement[],
      limits: RunOptions = {},
    ): Promise<PipelineOutcome> {
      running += 1;
      try {
        const timeoutMs = limits.isUnlimited === true ? undefined : replyTimeoutMs;
        const outcome = await runPipeline(client, statements, { clock, replyTimeoutMs: timeoutMs });
        status = outcome.status;
        return outcome;
      } catch (error) {
        status = 'lost';
        throw failure(error, { purpose: role });
      } finally {
        running -= 1;
      }
    }
    return {
      run,
      async undo() {
        if (running === 0 && (status === 'T' || status === 'E')) {
          await run([{ sql: 'ROLLBACK', parameters: [] }]).catch(() => {});
        }
      },
      release() {
        client.release(status !== 'I' || running > 0);
      },
    };
  }

  return {
    store,
    failure,
    async session(role) {
      let client: PoolClient;
      try {
        client = await pools[role].connect();
      } catch (error) {
        throw failure(error, { purpose: 'connect' });
      }
      // Without a listener, a connection that ends while it is in use would end the process.
      if (client.listenerCount('error') === 0) {
        client.on('error', () => {});
      }
      return sessionOver(client, role);
    },
    async close() {
      await Promise.all([pools.read.end(), pools.write.end()]);
    },
  };
}
