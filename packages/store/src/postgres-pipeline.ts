import type { CancelTimer, Clock } from '@oakestra/daemon';
import { type ClientBase, type Connection, DatabaseError } from 'pg';
import { decodeRow, encodeValue, type ResultField } from './postgres-values.ts';
import { StoreFault } from './sqlite-failure.ts';
import type { Row, StatementResult, WireStatement } from './thread-protocol.ts';

/** Estimated memory of the rows of one trip; see the same limit of the SQLite engine. */
const readLimitBytes = 24 * 1024 * 1024;
const rowOverheadBytes = 200;
const valueOverheadBytes = 32;

/** What the server answered to statements that were sent together. */
export interface PipelineOutcome {
  /** Of the statements that succeeded, in order. The one behind them is the one that failed. */
  readonly results: readonly StatementResult[];
  /** The last command tag: a `COMMIT` of an undone transaction answers `ROLLBACK` without an error. */
  readonly lastTag: string;
  readonly error: Error | undefined;
  /** `I`: no transaction is open, `T`: one is, `E`: one that failed. */
  readonly status: string;
}

/** The connection ended before everything was answered. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export interface PipelineOptions {
  readonly clock: Clock;
  /** A server that says nothing for so long is given up; undefined: never. */
  readonly replyTimeoutMs: number | undefined;
}

/** Only changes count: a SELECT names its rows here too. */
function changesOf(tag: string): number {
  return /^(?:INSERT|UPDATE|DELETE|MERGE)\b/.test(tag) ? Number(tag.slice(tag.lastIndexOf(' ') + 1)) : 0;
}

function send(connection: Connection, statements: readonly WireStatement[]): void {
  connection.stream.cork();
  try {
    for (const { sql, parameters } of statements) {
      connection.parse({ name: '', text: sql, types: [] }, true);
      connection.bind({ values: parameters.map(encodeValue) }, true);
      connection.describe({ type: 'P', name: '' }, true);
      connection.execute({}, true);
    }
    connection.sync();
  } finally {
    connection.stream.uncork();
  }
}

/**
 * Sends all statements in one trip; the server stops at the first that fails. Answers when the connection takes
 * the next request, fails with `ConnectionLost`.
 */
export function runPipeline(
  client: ClientBase,
  statements: readonly WireStatement[],
  { clock, replyTimeoutMs }: PipelineOptions,
): Promise<PipelineOutcome> {
  return new Promise((resolve, reject) => {
    const results: StatementResult[] = [];
    let fields: readonly ResultField[] = [];
    let rows: Row[] = [];
    let bytes = 0;
    let error: Error | undefined;
    let lastTag = '';
    let leave = (): void => {};

    function lose(cause: Error): void {
      leave();
      reject(new ConnectionLost(cause.message, { cause }));
    }

    function finishStatement(tag: string): void {
      lastTag = tag;
      results.push({ rows, changes: changesOf(tag), lastInsertId: 0 });
      fields = [];
      rows = [];
    }

    client.query({
      submit(connection: Connection) {
        const onReady = ({ status }: { status: string }): void => {
          leave();
          resolve({ results, lastTag, error, status });
        };
        const onEnd = (): void => lose(error ?? new Error('the connection ended'));
        let cancel: CancelTimer = () => {};
        leave = () => {
          cancel();
          connection.off('readyForQuery', onReady);
          connection.off('end', onEnd);
        };
        if (replyTimeoutMs !== undefined) {
          cancel = clock.setTimer(replyTimeoutMs, () => {
            lose(new Error(`no answer for ${replyTimeoutMs} ms`));
            connection.stream.destroy();
          });
        }
        connection.on('readyForQuery', onReady);
        connection.on('end', onEnd);
        send(connection, statements);
      },
      handleRowDescription(message: { readonly fields: readonly ResultField[] }) {
        fields = message.fields;
      },
      handleDataRow(message: { readonly fields: readonly (string | null)[] }) {
        if (error !== undefined) {
          return;
        }
        bytes += rowOverheadBytes;
        for (const text of message.fields) {
          bytes += valueOverheadBytes + (text?.length ?? 0);
        }
        if (bytes > readLimitBytes) {
          const found = rows.length;
          rows = [];
          error = new StoreFault('read-too-large', `more than ${readLimitBytes} bytes in ${found} rows`);
          return;
        }
        rows.push(decodeRow(fields, message.fields));
      },
      handleCommandComplete: ({ text }: { readonly text: string }) => finishStatement(text),
      handleEmptyQuery: () => finishStatement(''),
      handlePortalSuspended() {},
      handleReadyForQuery() {},
      handleCopyInResponse: (connection: { sendCopyFail(text: string): void }) =>
        connection.sendCopyFail('the store does not copy'),
      handleCopyData() {},
      handleError(thrown: Error) {
        error ??= thrown;
        // An error of the server is followed by its readiness, or by the end of the connection.
        if (!(thrown instanceof DatabaseError)) {
          lose(thrown);
        }
      },
    });
  });
}
