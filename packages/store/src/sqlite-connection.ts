import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSyncInstance } from '@photostructure/sqlite';
import { StoreFault } from './sqlite-failure.ts';
import type { Durability, References, Row, StatementResult, WireStatement } from './thread-protocol.ts';

type DatabaseSyncInstance = InstanceType<typeof DatabaseSync>;

const preparedLimit = 200;
/** Estimated memory of one read's rows. Running out of it would end the whole process, not only the thread. */
const readLimitBytes = 24 * 1024 * 1024;
const rowOverheadBytes = 200;
const valueOverheadBytes = 32;
/** After a burst the write-ahead log shrinks back to this size. */
const logSizeLimitBytes = 4 * 1024 * 1024;

interface Prepared {
  readonly statement: StatementSyncInstance;
  readonly isReader: boolean;
}

/** One open database with the exclusive lock on its file. All calls block the calling thread. */
export interface SqliteConnection {
  readonly inTransaction: boolean;
  run(statement: WireStatement): StatementResult;
  /** Allows or refuses changes. Outside of transactions only. */
  setReadOnly(readOnly: boolean): void;
  /** Whether the next transactions are synced. Outside of transactions only. */
  setDurability(durability: Durability): void;
  /** Whether foreign keys are enforced statement by statement. Outside of transactions only. */
  setReferences(references: References): void;
  close(): void;
}

/** Makes the file with its final mode before SQLite sees it: SQLite would ask the umask. */
function createFile(path: string): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (existsSync(path)) {
    // By path: opening and closing the file here would drop the lock of another connection of this process.
    chmodSync(path, 0o600);
    return;
  }
  closeSync(openSync(path, 'wx', 0o600));
  syncPath(directory);
}

/** Brings a file's content, or a folder's entries, to the disk. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Opens, or creates, the database and takes the lock that keeps other processes out. */
export function openConnection(path: string, busyTimeoutMs: number): SqliteConnection {
  createFile(path);
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  try {
    // Exclusive locking before the first access: the lock is held from then on, and no shared memory is needed.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA journal_size_limit = ${logSizeLimitBytes}`);
    database.exec('PRAGMA temp_store = MEMORY');
    database.exec('PRAGMA trusted_schema = OFF');
    database.exec('BEGIN IMMEDIATE');
    database.exec('COMMIT');
  } catch (error) {
    database.close();
    throw error;
  }
  return connectionOver(database);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') {
    return valueOverheadBytes + value.length;
  }
  return value instanceof Uint8Array ? valueOverheadBytes + value.byteLength : valueOverheadBytes;
}

function readRows(found: Iterable<Row>): Row[] {
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of found) {
    bytes += rowOverheadBytes;
    for (const name in row) {
      bytes += sizeOf(row[name]);
    }
    if (bytes > readLimitBytes) {
      throw new StoreFault('read-too-large', `more than ${readLimitBytes} bytes in ${rows.length} rows`);
    }
    rows.push(row);
  }
  return rows;
}

function connectionOver(database: DatabaseSyncInstance): SqliteConnection {
  const prepared = new Map<string, Prepared>();
  let isReadOnly = false;
  let durability: Durability | undefined;
  let references: References = 'enforced';

  function prepare(sql: string): Prepared {
    let entry = prepared.get(sql);
    if (entry === undefined) {
      const statement = database.prepare(sql);
      entry = { statement, isReader: statement.columns().length > 0 };
    } else {
      prepared.delete(sql);
    }
    prepared.set(sql, entry);
    if (prepared.size > preparedLimit) {
      for (const oldest of prepared.keys()) {
        prepared.delete(oldest);
        break;
      }
    }
    return entry;
  }

  return {
    get inTransaction() {
      return database.isTransaction;
    },
    run({ sql, parameters }) {
      const { statement, isReader } = prepare(sql);
      if (isReader) {
        return { rows: readRows(statement.iterate(...parameters)), changes: 0, lastInsertId: 0 };
      }
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return { rows: [], changes, lastInsertId: lastInsertRowid };
    },
    setReadOnly(readOnly) {
      if (readOnly !== isReadOnly) {
        database.exec(`PRAGMA query_only = ${readOnly ? 'ON' : 'OFF'}`);
        isReadOnly = readOnly;
      }
    },
    setDurability(wanted) {
      if (wanted !== durability) {
        database.exec(`PRAGMA synchronous = ${wanted === 'full' ? 'FULL' : 'NORMAL'}`);
        durability = wanted;
      }
    },
    setReferences(wanted) {
      if (wanted !== references) {
        database.exec(`PRAGMA foreign_keys = ${wanted === 'enforced' ? 'ON' : 'OFF'}`);
        references = wanted;
      }
    },
    close() {
      prepared.clear();
      database.close();
    },
  };
}
