export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured fields of one log line. Values of type `Sensitive` are masked by the writer. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every part gets to speak through. Field names: camelCase, with units (`durationMs`). */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}
