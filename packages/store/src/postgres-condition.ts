import { DatabaseError } from 'pg';
import type { WireStatement } from './thread-protocol.ts';

const divisionByZero = '22012';

/** Whether the server itself can compare the number of changed rows; otherwise it takes a second trip. */
function canBeChecked(sql: string): boolean {
  return /^\s*(?:insert|update|delete)\b/i.test(sql) && !/\breturning\b/i.test(sql);
}

/**
 * A statement that fails on the server when it changes another number of rows than expected. So a leader's batch
 * needs no second trip, during which a frozen process would keep its locks and everybody else waiting.
 */
export function checkedByServer(statement: WireStatement): WireStatement {
  const { sql, parameters, expectedChanges } = statement;
  if (expectedChanges === undefined || !canBeChecked(sql)) {
    return statement;
  }
  const checked = `with changed as (${sql} returning 1)
    select 1 / (case when count(*) = ${expectedChanges} then 1 else 0 end) from changed`;
  return { sql: checked, parameters };
}

/** Whether the error means that a statement of `checkedByServer` changed another number of rows. */
export function isUnexpectedChange(error: unknown, { sql, expectedChanges }: WireStatement): boolean {
  return (
    expectedChanges !== undefined &&
    canBeChecked(sql) &&
    error instanceof DatabaseError &&
    error.code === divisionByZero
  );
}
