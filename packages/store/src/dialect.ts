import { OakestraError } from '@oakestra/contracts';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { toWire } from './statement.ts';
import type { StatementResult, WireStatement } from './thread-protocol.ts';

/** What a Kysely of ours talks to. */
export interface StatementPort {
  run(statement: WireStatement): Promise<StatementResult>;
  /** Absent where transactions are not for Kysely to start. */
  readonly transactions?: {
    begin(): Promise<void>;
    end(outcome: 'commit' | 'rollback'): Promise<void>;
  };
}

/** SQLite takes schema changes back with the transaction; Kysely's own adapter does not count on it. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function unsupported(what: string): OakestraError {
  return new OakestraError('unsupported', 'store-unsupported', what);
}

function connectionOver(port: StatementPort): DatabaseConnection {
  return {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, changes, lastInsertId } = await port.run(toWire(query));
      return {
        rows: rows as R[],
        numAffectedRows: BigInt(changes),
        insertId: BigInt(lastInsertId),
      };
    },
    streamQuery() {
      throw unsupported('The store does not stream rows: read page by page, ordered by a key.');
    },
  };
}

function driverOver(port: StatementPort): Driver {
  const connection = connectionOver(port);
  function transactions(): NonNullable<StatementPort['transactions']> {
    if (port.transactions === undefined) {
      throw unsupported('Transactions start with `transaction` of the store, not with `db`.');
    }
    return port.transactions;
  }
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: async () => transactions().begin(),
    commitTransaction: async () => transactions().end('commit'),
    rollbackTransaction: async () => transactions().end('rollback'),
    releaseConnection: async () => {},
    destroy: async () => {},
  };
}

/** How an engine wants its SQL. */
export type SqlFlavour = Omit<Dialect, 'createDriver'>;

const sqliteFlavour: SqlFlavour = {
  createAdapter: () => new TransactionalSqliteAdapter(),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
};

/** A Kysely that sends compiled statements through `port`. It owns nothing and needs no closing. */
export function kyselyOver<Schema>(port: StatementPort, flavour = sqliteFlavour): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: { ...flavour, createDriver: () => driverOver(port) } });
}
