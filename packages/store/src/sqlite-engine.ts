import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { openConnection, type SqliteConnection, syncPath } from './sqlite-connection.ts';
import { failureOf, primaryCode, StoreFault, sqliteCode } from './sqlite-failure.ts';
import type {
  Batch,
  Durability,
  Failure,
  References,
  Row,
  StatementResult,
  ThreadSettings,
  WireStatement,
} from './thread-protocol.ts';

const plain = (sql: string): WireStatement => ({ sql, parameters: [] });
const savepoint = plain('SAVEPOINT batch');
const release = plain('RELEASE batch');
const undo = plain('ROLLBACK TO batch');
const begin = plain('BEGIN IMMEDIATE');
const commit = plain('COMMIT');
const rollback = plain('ROLLBACK');

export interface GroupOutcome {
  /** One entry per batch: what went wrong with it, or undefined where it was applied. */
  readonly failures: readonly (Failure | undefined)[];
  readonly syncs: number;
}

/** The database as the thread uses it: it opens itself on first use. */
export interface SqliteEngine {
  /**
   * The disk failed and the connection must not be used again. The binding lets go of a file only when its
   * thread ends, so the thread has to.
   */
  readonly isSpent: boolean;
  read(statement: WireStatement): StatementResult;
  /** A statement outside of groups, or inside of the transaction that is open. */
  execute(statement: WireStatement): StatementResult;
  /** Applies batches in one transaction with one sync; a failing batch fails alone. */
  commitGroup(batches: readonly Batch[]): GroupOutcome;
  begin(durability: Durability, references: References): void;
  end(outcome: 'commit' | 'rollback'): void;
  backup(path: string, mark: string): void;
  close(): void;
}

export function createSqliteEngine(settings: ThreadSettings): SqliteEngine {
  let open: SqliteConnection | undefined;
  let isSpent = false;
  let openTransaction: { durability: Durability; references: References } | undefined;

  function connection(): SqliteConnection {
    open ??= openConnection(settings.path, settings.busyTimeoutMs);
    return open;
  }

  /** Leaves no transaction behind. */
  function recover(failure: Failure): void {
    // After a failed write or sync the state of the page cache is not known: begin anew from the disk.
    isSpent ||= primaryCode(failure) === sqliteCode.ioError;
    try {
      if (open?.inTransaction) {
        open.run(rollback);
      }
    } catch {
      isSpent = true;
    }
  }

  /** Runs `action` so that a failure leaves a usable engine. An open transaction outlives what only it can undo. */
  function guarded<T>(action: () => T): T {
    try {
      return action();
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (openTransaction === undefined || primaryCode(failure) === sqliteCode.ioError) {
        recover(failure);
      }
      throw thrown;
    }
  }

  function sync(): void {
    if (settings.syncDelayMs > 0) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, settings.syncDelayMs);
    }
  }

  function apply(db: SqliteConnection, batch: Batch): Failure | undefined {
    let sql: string | undefined;
    db.run(savepoint);
    try {
      for (const statement of batch.statements) {
        sql = statement.sql;
        const { changes } = db.run(statement);
        if (statement.expectedChanges !== undefined && statement.expectedChanges !== changes) {
          throw new StoreFault(
            'expectation',
            `expected ${statement.expectedChanges} changed rows, found ${changes}`,
          );
        }
      }
      db.run(release);
      return undefined;
    } catch (thrown) {
      if (!db.inTransaction) {
        throw thrown;
      }
      db.run(undo);
      db.run(release);
      return failureOf(thrown, sql);
    }
  }

  function commitTogether(batches: readonly Batch[]): GroupOutcome {
    const db = connection();
    const durability = batches.some((batch) => batch.durability === 'full') ? 'full' : 'normal';
    db.setReadOnly(false);
    db.setDurability(durability);
    db.setReferences('enforced');
    db.run(begin);
    const failures = batches.map((batch) => apply(db, batch));
    if (failures.every((failure) => failure !== undefined)) {
      db.run(rollback);
      return { failures, syncs: 0 };
    }
    if (durability === 'full') {
      sync();
    }
    db.run(commit);
    return { failures, syncs: durability === 'full' ? 1 : 0 };
  }

  function commitGroup(batches: readonly Batch[]): GroupOutcome {
    try {
      return commitTogether(batches);
    } catch (thrown) {
      const failure = failureOf(thrown);
      recover(failure);
      // After a failed sync nobody knows what reached the disk, so applying again could apply twice.
      if (batches.length === 1 || primaryCode(failure) === sqliteCode.ioError) {
        return { failures: batches.map(() => failure), syncs: 0 };
      }
      const outcomes = batches.map((batch) =>
        isSpent ? { failures: [failure], syncs: 0 } : commitGroup([batch]),
      );
      return {
        failures: outcomes.flatMap((outcome) => outcome.failures),
        syncs: outcomes.reduce((sum, outcome) => sum + outcome.syncs, 0),
      };
    }
  }

  function checkReferences(db: SqliteConnection): void {
    const broken = db.run(plain('PRAGMA foreign_key_check')).rows[0];
    if (broken !== undefined) {
      throw new StoreFault('internal', `a row of table ${String(broken.table)} refers to a row that is gone`);
    }
  }

  function endTransaction(outcome: 'commit' | 'rollback'): void {
    const { durability, references } = openTransaction ?? { durability: 'normal', references: 'enforced' };
    openTransaction = undefined;
    const db = connection();
    try {
      if (outcome === 'rollback') {
        if (db.inTransaction) {
          db.run(rollback);
        }
        return;
      }
      if (!db.inTransaction) {
        throw undone();
      }
      if (references === 'deferred') {
        checkReferences(db);
      }
      if (durability === 'full') {
        sync();
      }
      db.run(commit);
    } catch (thrown) {
      recover(failureOf(thrown));
      throw thrown;
    }
  }

  return {
    get isSpent() {
      return isSpent;
    },
    read(statement) {
      return guarded(() => {
        connection().setReadOnly(true);
        return connection().run(statement);
      });
    },
    execute(statement) {
      return guarded(() => {
        const db = connection();
        if (openTransaction === undefined) {
          db.setReadOnly(false);
          db.setDurability('full');
          db.setReferences('enforced');
        } else if (!db.inTransaction) {
          // Otherwise the statement would take effect at once and on its own.
          throw undone();
        }
        return db.run(statement);
      });
    },
    commitGroup,
    begin(durability, references) {
      guarded(() => {
        const db = connection();
        db.setReadOnly(false);
        db.setDurability(durability);
        db.setReferences(references);
        db.run(begin);
        openTransaction = { durability, references };
      });
    },
    end: endTransaction,
    backup(path, mark) {
      guarded(() => {
        connection().setReadOnly(false);
        writeBackup(connection(), path, mark);
      });
    },
    close() {
      const closing = open;
      open = undefined;
      closing?.close();
    },
  };
}

function undone(): StoreFault {
  return new StoreFault('session', 'an earlier failure has already undone the transaction');
}

/** A backup that does not open, or not all of it, is none. */
function checkIntegrity(copy: InstanceType<typeof DatabaseSync>): void {
  const [found] = copy.prepare('PRAGMA quick_check(1)').all() as Row[];
  if (found?.quick_check !== 'ok') {
    throw new StoreFault('internal', `the backup is damaged: ${String(found?.quick_check)}`);
  }
}

/** Copies the database to `path`, which appears only when it is complete and on the disk. */
function writeBackup(db: SqliteConnection, path: string, mark: string): void {
  if (existsSync(path)) {
    throw new StoreFault('file-exists', `${path} exists already`);
  }
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  try {
    closeSync(openSync(partial, 'wx', 0o600));
    db.run({ sql: 'VACUUM INTO ?', parameters: [partial] });
    const copy = new DatabaseSync(partial);
    try {
      checkIntegrity(copy);
      // An older program may have ended before it wrote this table.
      copy.exec('CREATE TABLE IF NOT EXISTS oakestra_meta (key text PRIMARY KEY, value text NOT NULL)');
      copy.prepare("INSERT OR REPLACE INTO oakestra_meta (key, value) VALUES ('store.backup', ?)").run(mark);
    } finally {
      copy.close();
    }
    syncPath(partial);
    renameSync(partial, path);
    syncPath(dirname(path));
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}
