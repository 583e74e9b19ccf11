import type { ZodType } from 'zod';
import { formatByteSize, parseByteSize } from '../byte-size.ts';
import { formatDuration, parseDuration } from '../duration.ts';

/** Thrown by {@link SettingType.parse}; the message completes "<setting> …" and never quotes the value. */
export class SettingValueError extends Error {
  override readonly name = 'SettingValueError';
}

/** How the text of a flag, a variable or a file becomes a value that the program works with. */
export interface SettingType<T> {
  /** Compiles a raw value: text from flags and environment, anything YAML can hold from the file. */
  parse(raw: unknown): T;
  /** The form that {@link parse} reads back; default: plain text, lists with commas, JSON for the rest. */
  format?(value: T): string;
  /** What the help shows in place of a value. */
  readonly placeholder: string;
  /** `switch` needs no value on the command line; `list` may be given several times. */
  readonly form: 'value' | 'switch' | 'list';
  /** Unit at the end of the key that names for people leave out, because the value carries it. */
  readonly unitSuffix?: string;
}

interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

function text({ pattern, meaning }: { pattern?: RegExp; meaning?: string } = {}): SettingType<string> {
  return {
    placeholder: 'text',
    form: 'value',
    parse(raw) {
      if (typeof raw !== 'string') throw new SettingValueError('must be text; put it in quotes');
      if (raw === '') throw new SettingValueError('must not be empty');
      if (pattern !== undefined && !pattern.test(raw)) {
        throw new SettingValueError(`must be ${meaning ?? `of the form ${pattern.source}`}`);
      }
      return raw;
    },
  };
}

function wholeNumber(range: NumberRange = {}): SettingType<number> {
  return {
    placeholder: 'number',
    form: 'value',
    parse(raw) {
      const value = typeof raw === 'string' && /^[+-]?\d+$/.test(raw.trim()) ? Number(raw) : raw;
      if (!Number.isSafeInteger(value)) throw new SettingValueError('must be a whole number');
      return within(value as number, range, String);
    },
  };
}

function decimal(range: NumberRange = {}): SettingType<number> {
  return {
    placeholder: 'number',
    form: 'value',
    parse(raw) {
      const isNumeric = typeof raw === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(raw.trim());
      const value = isNumeric ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isFinite(value))
        throw new SettingValueError('must be a number');
      return within(value, range, String);
    },
  };
}

/** A TCP or UDP port; 0 (any free port) only when asked for. */
function port({ allowZero = false }: { allowZero?: boolean } = {}): SettingType<number> {
  return { ...wholeNumber({ min: allowZero ? 0 : 1, max: 65_535 }), placeholder: 'port' };
}

/** Milliseconds, written as "10s" or "1m30s". */
function duration({ minMs, maxMs }: { minMs?: number; maxMs?: number } = {}): SettingType<number> {
  return {
    placeholder: 'duration',
    form: 'value',
    unitSuffix: 'Ms',
    format: formatDuration,
    parse(raw) {
      const value = raw === 0 ? 0 : typeof raw === 'string' ? parseDuration(raw) : undefined;
      if (value === undefined)
        throw new SettingValueError('must be a duration with a unit, such as 250ms, 10s or 1m30s');
      return within(value, rangeOf(minMs, maxMs), formatDuration);
    },
  };
}

/** Bytes, written as "64MiB". */
function byteSize({
  minBytes,
  maxBytes,
}: {
  minBytes?: number;
  maxBytes?: number;
} = {}): SettingType<number> {
  return {
    placeholder: 'size',
    form: 'value',
    unitSuffix: 'Bytes',
    format: formatByteSize,
    parse(raw) {
      const value = raw === 0 ? 0 : typeof raw === 'string' ? parseByteSize(raw) : undefined;
      if (value === undefined)
        throw new SettingValueError('must be a size with a unit, such as 500kB, 64MiB or 2GiB');
      return within(value, rangeOf(minBytes, maxBytes), formatByteSize);
    },
  };
}

const TRUE_WORDS = ['true', 'yes', 'on', '1'];
const FALSE_WORDS = ['false', 'no', 'off', '0'];

/** Yes or no: `--flag`, `--no-flag`, `--flag=false`. */
function toggle(): SettingType<boolean> {
  return {
    placeholder: 'true|false',
    form: 'switch',
    parse(raw) {
      const word = String(raw).trim().toLowerCase();
      if (TRUE_WORDS.includes(word)) return true;
      if (FALSE_WORDS.includes(word)) return false;
      throw new SettingValueError('must be true or false');
    },
  };
}

function oneOf<const T extends string>(choices: readonly T[]): SettingType<T> {
  return {
    placeholder: choices.join('|'),
    form: 'value',
    parse(raw) {
      const choice = choices.find((candidate) => candidate === raw);
      if (choice === undefined) throw new SettingValueError(`must be one of ${choices.join(', ')}`);
      return choice;
    },
  };
}

function url({ protocols }: { protocols?: readonly string[] } = {}): SettingType<string> {
  return {
    placeholder: 'url',
    form: 'value',
    parse(raw) {
      const parsed = typeof raw === 'string' && URL.canParse(raw) ? new URL(raw) : undefined;
      const protocol = parsed?.protocol.slice(0, -1) ?? '';
      if (parsed === undefined || (protocols !== undefined && !protocols.includes(protocol))) {
        const example =
          protocols === undefined ? 'https://host:port' : protocols.map((p) => `${p}://…`).join(' or ');
        throw new SettingValueError(`must be an address such as ${example}`);
      }
      return raw as string;
    },
  };
}

/** Several values: with commas in one text, by giving a flag several times, or as a list in the file. */
function list<T>(entry: SettingType<T>): SettingType<readonly T[]> {
  const formatEntry = (value: T) => entry.format?.(value) ?? String(value);
  return {
    placeholder: `${entry.placeholder},…`,
    form: 'list',
    format: (values) => values.map(formatEntry).join(','),
    ...(entry.unitSuffix === undefined ? {} : { unitSuffix: entry.unitSuffix }),
    parse(raw) {
      const parts = typeof raw === 'string' ? splitList(raw) : raw;
      if (!Array.isArray(parts)) throw new SettingValueError('must be a list');
      return parts.map((part: unknown, index) => {
        try {
          return entry.parse(part);
        } catch (error) {
          throw new SettingValueError(`entry ${index + 1} ${reasonOf(error)}`);
        }
      });
    },
  };
}

/**
 * Names with values: "zone=north,rack=7" as text, by giving a flag several times, or as a map in the file. `check`
 * says what is wrong with one of them; undefined: nothing.
 */
function pairs({
  check = () => undefined,
  most = Number.POSITIVE_INFINITY,
}: {
  check?: (name: string, value: string) => string | undefined;
  most?: number;
} = {}): SettingType<Readonly<Record<string, string>>> {
  return {
    placeholder: 'name=value,…',
    form: 'list',
    format: (value) =>
      Object.entries(value)
        .map(([name, text]) => `${name}=${text}`)
        .join(','),
    parse(raw) {
      const found = pairsOf(raw);
      if (found.length > most) throw new SettingValueError(`may have at most ${most} entries`);
      const faults = found.flatMap(([name, value]) => check(name, value) ?? []);
      const names = found.map(([name]) => name);
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      if (twice !== undefined) faults.push(`"${twice}" is given twice`);
      if (faults.length > 0) throw new SettingValueError(`is not valid (${faults.join('; ')})`);
      return Object.fromEntries(found);
    },
  };
}

function pairsOf(raw: unknown): [string, string][] {
  const isMap = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
  if (isMap) return Object.entries(raw).map(([name, value]) => [name, textOf(name, value)]);
  const parts = typeof raw === 'string' ? splitList(raw) : raw;
  if (!Array.isArray(parts)) throw new SettingValueError('must be a list such as zone=north,rack=7');
  return parts.flatMap((part: unknown): [string, string][] => {
    if (typeof part !== 'string') throw new SettingValueError('must be a list such as zone=north,rack=7');
    return splitList(part).map((text) => {
      const at = text.indexOf('=');
      if (at === -1) throw new SettingValueError(`must be of the form name=value; "${text}" has no "="`);
      return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    });
  });
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new SettingValueError(`"${name}" must be text`);
}

/**
 * Any zod schema. Text from flags and environment is read as JSON first when `isJson` is set (for objects), and
 * goes to the schema as it is otherwise.
 */
function schema<T>(
  definition: ZodType<T>,
  { placeholder = 'value', isJson = false }: { placeholder?: string; isJson?: boolean } = {},
): SettingType<T> {
  return {
    placeholder,
    form: 'value',
    parse(raw) {
      const result = definition.safeParse(isJson && typeof raw === 'string' ? fromJson(raw) : raw);
      if (result.success) return result.data;
      const issues = result.error.issues.map((issue) => {
        const path = issue.path.map(String).join('.');
        return path === '' ? issue.message : `${path}: ${issue.message}`;
      });
      throw new SettingValueError(`is not valid (${issues.join('; ')})`);
    },
  };
}

/** Another type, with its value turned into something else at the end: into a type that masks itself, for example. */
function mapped<T, U>(base: SettingType<T>, convert: (value: T) => U): SettingType<U> {
  const { placeholder, form, unitSuffix } = base;
  return {
    placeholder,
    form,
    ...(unitSuffix === undefined ? {} : { unitSuffix }),
    parse: (raw) => convert(base.parse(raw)),
  };
}

/** The types that settings are made of. Each refuses what it does not understand, with the form it expects. */
export const settingType = {
  text,
  wholeNumber,
  decimal,
  port,
  duration,
  byteSize,
  toggle,
  oneOf,
  url,
  list,
  pairs,
  schema,
  mapped,
} as const;

/** Why a value was refused, for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'is not valid';
}

/** Splits at commas and drops empty entries. */
export function splitList(raw: string): string[] {
  return raw
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function within(value: number, { min, max }: NumberRange, show: (value: number) => string): number {
  if ((min !== undefined && value < min) || (max !== undefined && value > max)) {
    const bounds =
      min === undefined
        ? `at most ${show(max ?? 0)}`
        : max === undefined
          ? `at least ${show(min)}`
          : `from ${show(min)} to ${show(max)}`;
    throw new SettingValueError(`must be ${bounds}`);
  }
  return value;
}

function rangeOf(min: number | undefined, max: number | undefined): NumberRange {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

function fromJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    throw new SettingValueError('must be JSON');
  }
}
