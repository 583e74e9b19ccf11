import type { PlainValue } from './log-values.ts';
import type { LogLevel } from './logger.ts';

/** One log line before it becomes text. Field values are already free of secrets; `component` is one of them. */
export interface LogLine {
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

const COLOURS: Readonly<Record<LogLevel, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

/** A line for people: `12:30:59.123 INFO  broker  listening port=10003`; stacks of errors follow indented. */
export function formatTextLine(line: LogLine, isColoured: boolean): string {
  const paint = (code: number, text: string) => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text);
  const stacks: string[] = [];
  const { component, ...others } = line.fields;
  const fields = Object.entries(others).map(([name, value]) => {
    const stack = stackOf(value);
    if (stack !== undefined) stacks.push(...indented(stack));
    return `${paint(90, `${printable(name)}=`)}${textOf(value)}`;
  });
  const head = [
    paint(90, line.time.slice(11, 23)),
    paint(COLOURS[line.level], line.level.toUpperCase().padEnd(5)),
    ...(component === undefined ? [] : [paint(1, printable(String(component)))]),
    printable(line.message),
    ...fields,
  ];
  return [head.join(' '), ...stacks].join('\n');
}

function textOf(value: PlainValue): string {
  if (typeof value === 'string')
    return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(printable(value));
  if (isError(value)) return JSON.stringify(printable(String(value.message)));
  return printable(JSON.stringify(value));
}

function isError(value: PlainValue): value is { readonly message: PlainValue; readonly stack: PlainValue } {
  return typeof value === 'object' && value !== null && 'stack' in value && 'message' in value;
}

function stackOf(value: PlainValue): string | undefined {
  if (!isError(value) || typeof value.stack !== 'string') return undefined;
  const cause = 'cause' in value ? stackOf(value.cause as PlainValue) : undefined;
  return cause === undefined ? value.stack : `${value.stack}\ncaused by ${cause}`;
}

function indented(stack: string): string[] {
  return stack.split('\n').map((row) => `    ${printable(row.trim())}`);
}

/** Control characters become visible: a log line must not move the cursor or fake a second line. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0);
    return character === '\n' ? '\\n' : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
