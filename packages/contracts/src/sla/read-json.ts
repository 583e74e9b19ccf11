import { requireSafeKey, TextFault } from './text-fault.ts';

/** Most characters of a JSON document. */
const LONGEST_TEXT = 4 * 1024 * 1024;

/** Throws a `TextFault` when the text is no JSON. */
export function readJson(text: string): unknown {
  if (text.length > LONGEST_TEXT) {
    throw new TextFault(`is longer than ${LONGEST_TEXT / 1024 / 1024} MiB; split it into several`);
  }
  try {
    return JSON.parse(text, (key, value: unknown) => {
      requireSafeKey(key);
      return value;
    });
  } catch (error) {
    if (error instanceof SyntaxError) throw faultOf(text, error);
    if (error instanceof RangeError) throw new TextFault('is nested too deeply to be read');
    throw error;
  }
}

/** The engine's message quotes the text, which may be a secret: of it we take the place alone. */
function faultOf(text: string, error: SyntaxError): TextFault {
  if (text.trim() === '') return new TextFault('is empty; send a JSON object');
  const match = /at position (\d+)/.exec(error.message);
  const offset = match === null ? text.length : Number(match[1]);
  if (offset >= text.length)
    return new TextFault('is no valid JSON: it ends too early', placeOf(text, text.length));
  return new TextFault('is no valid JSON: this character is not possible here', placeOf(text, offset));
}

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
