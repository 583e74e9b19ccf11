import { MASK, mustMask, redactText } from './redaction.ts';

/** What a log line may hold: JSON and nothing else. */
export type PlainValue =
  | string
  | number
  | boolean
  | null
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

const DEPTH_LIMIT = 8;
const ENTRY_LIMIT = 100;
const TEXT_LIMIT = 16_384;

/**
 * The fields of a log line: turns anything into plain JSON values without ever throwing: secrets masked by name and by form, objects that
 * mask themselves (`toJSON`) kept masked, errors with their causes, cycles and depth cut, long texts shortened,
 * binary data as its length only.
 */
export function toPlainFields(fields: object): { [key: string]: PlainValue } {
  return plainEntries(fields, []);
}

/** A text as a log shows it: secrets masked, shortened to 16 Ki characters. */
export function toPlainText(text: string): string {
  // Redacted before it is cut, so that a key cut in half is still recognised.
  const safe = redactText(text);
  return safe.length <= TEXT_LIMIT
    ? safe
    : `${safe.slice(0, TEXT_LIMIT)}… (${safe.length - TEXT_LIMIT} more characters)`;
}

function plain(value: unknown, ancestors: readonly object[]): PlainValue | undefined {
  switch (typeof value) {
    case 'string':
      return toPlainText(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : guarded(value, ancestors);
    default:
      return undefined;
  }
}

function guarded(value: object, ancestors: readonly object[]): PlainValue | undefined {
  if (ancestors.includes(value)) return '[circular]';
  if (ancestors.length >= DEPTH_LIMIT) return '[too deep]';
  try {
    return plainObject(value, [...ancestors, value]);
  } catch {
    return '[unreadable]';
  }
}

function plainObject(value: object, ancestors: readonly object[]): PlainValue | undefined {
  if (value instanceof Error) return plainError(value, ancestors);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (Array.isArray(value)) return plainList(value, ancestors);
  if (value instanceof Set) return plainList([...value], ancestors);
  if (value instanceof Map) return plainMap(value, ancestors);
  if (value instanceof RegExp || value instanceof URL) return toPlainText(String(value));
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const own: unknown = value.toJSON();
    return own === value ? plainEntries(value, ancestors) : plain(own, ancestors);
  }
  return plainEntries(value, ancestors);
}

function plainMap(map: ReadonlyMap<unknown, unknown>, ancestors: readonly object[]): PlainValue {
  const entries = [...map].map(([key, value]) => [String(key), value] as const);
  return plainEntries(Object.fromEntries(entries), ancestors);
}

function plainError(error: Error, ancestors: readonly object[]): PlainValue {
  const { stack, cause } = error;
  const code = 'code' in error ? plain(error.code, ancestors) : undefined;
  return {
    name: String(error.name),
    message: toPlainText(String(error.message)),
    ...(code === undefined ? {} : { code }),
    ...withoutKeys(plainEntries(error, ancestors), ['name', 'message', 'code', 'stack', 'cause', 'errors']),
    ...(typeof stack === 'string' ? { stack: toPlainText(stack) } : {}),
    ...(cause === undefined ? {} : { cause: plain(cause, ancestors) ?? null }),
    ...(error instanceof AggregateError ? { errors: plainList(error.errors, ancestors) } : {}),
  };
}

function withoutKeys(
  fields: { [key: string]: PlainValue },
  names: readonly string[],
): { [key: string]: PlainValue } {
  for (const name of names) delete fields[name];
  return fields;
}

function plainList(list: readonly unknown[], ancestors: readonly object[]): PlainValue[] {
  const shown = list.slice(0, ENTRY_LIMIT).map((entry) => plain(entry, ancestors) ?? null);
  if (list.length > ENTRY_LIMIT) shown.push(`… ${list.length - ENTRY_LIMIT} more`);
  return shown;
}

function plainEntries(value: object, ancestors: readonly object[]): { [key: string]: PlainValue } {
  const result: { [key: string]: PlainValue } = {};
  let names: readonly string[];
  try {
    names = Object.keys(value);
  } catch {
    return result;
  }
  for (const name of names.slice(0, ENTRY_LIMIT)) {
    const entry = plainEntry(value, name, ancestors);
    if (entry !== undefined) put(result, name, entry);
  }
  if (names.length > ENTRY_LIMIT) result['…'] = `${names.length - ENTRY_LIMIT} more`;
  return result;
}

/** A key called __proto__ is a key like any other. */
function put(target: { [key: string]: PlainValue }, name: string, value: PlainValue): void {
  if (name !== '__proto__') target[name] = value;
  else Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function plainEntry(owner: object, name: string, ancestors: readonly object[]): PlainValue | undefined {
  try {
    const value: unknown = (owner as Record<string, unknown>)[name];
    return mustMask(name, value) ? MASK : plain(value, ancestors);
  } catch {
    return '[unreadable]';
  }
}
