import { formatTextLine, type LogLine } from './log-text.ts';
import { type PlainValue, toPlainFields, toPlainText } from './log-values.ts';
import type { LogFields, Logger, LogLevel } from './logger.ts';

const RANK: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 };
const RESERVED = ['time', 'level', 'message'];

/** Where lines go. `write` must not throw; a stream that reports failures as events is fine. */
export interface LogOutput {
  write(line: string): unknown;
  /** Whether people read it directly: then text in colours is the default form. */
  readonly isTTY?: boolean | undefined;
}

export interface LoggerOptions {
  /** Lines below this level are not written. Default `info`. */
  readonly level?: LogLevel;
  /** Default `auto`: text on a terminal, JSON otherwise. */
  readonly format?: 'json' | 'text' | 'auto';
  /** Default: standard error. */
  readonly output?: LogOutput;
  /** Wall clock of the time stamps, Unix milliseconds. */
  readonly nowMs?: () => number;
  /** Fields of every line, such as `{ component: 'root' }`. */
  readonly fields?: LogFields;
}

/**
 * A logger that writes one line per call: `time` (ISO 8601, UTC), `level`, `component`, `message`, then the fields.
 * It never throws, whatever the fields hold, and it masks secrets by name, by form, and where a value masks
 * itself. A field that is named like one of the fixed ones gets an underscore appended.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const output = options.output ?? standardError();
  const isText = options.format === 'text' || (options.format !== 'json' && output.isTTY === true);
  const isColoured = isText && output.isTTY === true;
  const nowMs = options.nowMs ?? Date.now;
  const threshold = RANK[options.level ?? 'info'];

  const render = isText ? (line: LogLine) => formatTextLine(line, isColoured) : formatJsonLine;
  const withFields = (bound: Readonly<Record<string, PlainValue>>): Logger => {
    const at = (level: LogLevel) =>
      RANK[level] < threshold
        ? () => {}
        : (message: string, fields?: LogFields) =>
            writeSafely(output, () => render(compose({ nowMs, level, message, bound, fields })));
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => withFields({ ...bound, ...ownFields(fields) }),
    };
  };
  return withFields(ownFields(options.fields ?? {}));
}

interface Parts {
  readonly nowMs: () => number;
  readonly level: LogLevel;
  readonly message: string;
  readonly bound: Readonly<Record<string, PlainValue>>;
  readonly fields: LogFields | undefined;
}

function compose({ nowMs, level, message, bound, fields }: Parts): LogLine {
  return {
    time: new Date(nowMs()).toISOString(),
    level,
    message: toPlainText(String(message)),
    fields: fields === undefined ? bound : { ...bound, ...ownFields(fields) },
  };
}

/** The fields of a caller, made harmless, and with other names where they would replace the fixed ones. */
function ownFields(fields: LogFields): Record<string, PlainValue> {
  const own = toPlainFields(fields);
  for (const name of RESERVED) {
    const value = own[name];
    if (value === undefined) continue;
    delete own[name];
    own[`${name}_`] = value;
  }
  return own;
}

function formatJsonLine({ time, level, message, fields }: LogLine): string {
  const { component } = fields;
  const head = component === undefined ? { time, level, message } : { time, level, component, message };
  return JSON.stringify({ ...head, ...fields });
}

function writeSafely(output: LogOutput, line: () => string): void {
  try {
    output.write(`${line()}\n`);
  } catch {
    // A daemon that cannot log goes on; there is nobody left to tell.
  }
}

/** Standard error, which Node writes synchronously to files, pipes and terminals: no line is lost at the end. */
function standardError(): LogOutput {
  const stream = process.stderr;
  // A reader that went away must not end the daemon through an unhandled 'error' event.
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  return stream;
}

function ignore(): void {}
