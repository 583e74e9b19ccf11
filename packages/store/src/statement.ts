import { OakestraError } from '@oakestra/contracts';
import type { Compilable, CompiledQuery } from 'kysely';
import type { SqlValue, WireStatement } from './thread-protocol.ts';

/** A statement with a condition on its effect; see {@link expectChanges}. */
export interface ExpectingStatement {
  readonly query: Compilable | CompiledQuery;
  readonly expectedChanges: number;
}

/** What a batch is made of: a query that was built but not executed, compiled or not. */
export type Statement = Compilable | CompiledQuery | ExpectingStatement;

/**
 * Makes the whole batch fail (`conflict`, `store-expectation`) unless `query` changes exactly `count` rows
 * (default 1): compare-and-set, and the fencing of a leader's writes, without a transaction over several trips.
 */
export function expectChanges(query: Compilable | CompiledQuery, count = 1): ExpectingStatement {
  return { query, expectedChanges: count };
}

function isSqlValue(value: unknown): value is SqlValue {
  return (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    value instanceof Uint8Array
  );
}

/** Checks what SQLite would take silently and PostgreSQL would not. */
export function toWire({ sql, parameters }: Pick<CompiledQuery, 'sql' | 'parameters'>): WireStatement {
  const values = parameters.map((value, index) => {
    if (!isSqlValue(value)) {
      throw new OakestraError(
        'internal',
        'store-parameter',
        `Parameter ${index + 1} of a statement is of type ${typeof value}; the store takes text, numbers, ` +
          'bigint, bytes and null. Write booleans as 0 or 1 and objects as JSON text.',
        { details: { sql } },
      );
    }
    if (typeof value === 'string' && value.includes('\u0000')) {
      const text = `Parameter ${index + 1} of a statement contains the character U+0000, which text cannot hold.`;
      throw new OakestraError('invalid', 'store-text', `${text} Remove it from the value.`, {
        details: { sql },
      });
    }
    return value;
  });
  return { sql, parameters: values };
}

/** Compiles a statement of a batch at the moment it is submitted. */
export function compileStatement(statement: Statement): WireStatement {
  if ('expectedChanges' in statement) {
    return { ...compileStatement(statement.query), expectedChanges: statement.expectedChanges };
  }
  return toWire('sql' in statement ? statement : statement.compile());
}
