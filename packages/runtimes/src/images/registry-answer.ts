import type http from 'node:http';
import type { Clock } from '@oakestra/daemon';
import type { HttpTransport } from './http-transport.ts';
import { readLimited } from './limited-body.ts';
import type { FailedAnswer } from './registry-errors.ts';

const MAX_REASON_BYTES = 64 * 1024;
const MAX_REASON_LENGTH = 200;

/** Reads why a registry refused, as far as it says so; ends the response. */
export async function failedAnswer(
  response: http.IncomingMessage,
  transport: HttpTransport,
  clock: Clock,
): Promise<FailedAnswer> {
  const retryAfterMs = parseRetryAfter(response.headers['retry-after'], clock.nowMs());
  let text = '';
  try {
    text = (await readLimited(transport.read(response), MAX_REASON_BYTES)).toString('utf8');
  } catch {
    // The status says enough.
  }
  return {
    status: response.statusCode ?? 0,
    reason: reasonOf(text),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** Seconds or a date (RFC 9110, 10.2.3). */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** The first error of a registry's JSON, or its text, fit for one line of a message. */
function reasonOf(text: string): string {
  let reason = text;
  try {
    const document = JSON.parse(text) as {
      errors?: { code?: string; message?: string }[];
      details?: string;
      message?: string;
    };
    const first = document.errors?.[0];
    reason = first?.message || first?.code || document.details || document.message || '';
  } catch {
    if (text.trimStart().startsWith('<')) reason = '';
  }
  return String(reason)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH);
}
