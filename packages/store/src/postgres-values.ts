import type { Row, SqlValue } from './thread-protocol.ts';

/** A column of a result, as the server describes it. */
export interface ResultField {
  readonly name: string;
  readonly dataTypeID: number;
}

/** A parameter as text, which the server reads by the type that it expects; bytes as bytes. */
export function encodeValue(value: SqlValue): string | Buffer | null {
  if (value === null || typeof value === 'string') {
    return value;
  }
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  return String(value);
}

/** A number where it is exact; what is larger must not lose its last digits silently. */
function integer(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

const decoders: Readonly<Record<number, (text: string) => unknown>> = {
  // boolean: SQLite knows 1 and 0
  16: (text) => (text === 't' ? 1 : 0),
  // bytea
  17: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')),
  // int8, int2, int4, oid
  20: integer,
  21: integer,
  23: integer,
  26: integer,
  // float4, float8, numeric
  700: Number,
  701: Number,
  1700: Number,
};

/** A row with the values that SQLite would give. */
export function decodeRow(fields: readonly ResultField[], texts: readonly (string | null)[]): Row {
  const row: Row = {};
  for (const [index, { name, dataTypeID }] of fields.entries()) {
    const text = texts[index] ?? null;
    const decode = decoders[dataTypeID];
    row[name] = text === null || decode === undefined ? text : decode(text);
  }
  return row;
}
