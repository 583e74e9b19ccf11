import { crc32 } from 'node:zlib';
import type { InstanceEntry, WorkerMeta } from './entry.ts';

/** One fact of the journal. Later lines win. */
export type JournalLine =
  | { readonly kind: 'entry'; readonly entry: InstanceEntry }
  | { readonly kind: 'gone'; readonly key: string }
  | { readonly kind: 'meta'; readonly meta: WorkerMeta }
  | { readonly kind: 'boot'; readonly boots: number }
  | { readonly kind: 'worker'; readonly workerId: string };

/** `<crc32 of the JSON, 8 hex digits> <JSON>\n`. */
export function encodeLine(line: JournalLine): string {
  const json = JSON.stringify(line);
  return `${checksum(json)} ${json}\n`;
}

/** Undefined for a line that is torn or damaged. */
export function decodeLine(text: string): JournalLine | undefined {
  const json = text.slice(9);
  if (text[8] !== ' ' || checksum(json) !== text.slice(0, 8)) return undefined;
  return JSON.parse(json) as JournalLine;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}
