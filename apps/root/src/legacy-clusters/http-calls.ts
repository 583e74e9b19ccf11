import { request } from 'node:http';
import type { JsonObject } from '@oakestra/contracts';
import { urlHost } from '@oakestra/contracts/registration';
import { type Clock, withDeadline } from '@oakestra/daemon';

export interface HttpTarget {
  /** IP address or host name. */
  readonly address: string;
  readonly port: number;
}

export interface HttpCall {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: JsonObject;
}

/** Of the original (root-api 9.1). */
const TIMEOUT_MS = 10_000;

/** Sends one request in plain text, as old peers expect it; resolves to the status, rejects without an answer. */
export function callOverHttp(target: HttpTarget, call: HttpCall, clock: Clock): Promise<number> {
  const url = `http://${urlHost(target.address)}:${target.port}${call.path}`;
  const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
  const send = (signal: AbortSignal): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers =
        payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(payload.length) };
      const running = request(url, { method: call.method, headers, agent: false, signal }, (response) => {
        // What it says beside the status says nothing (root-api 9.1).
        response.resume();
        response.on('error', reject).on('end', () => resolve(response.statusCode ?? 0));
      });
      running.on('error', reject);
      running.end(payload);
    });
  return withDeadline(send, { clock, timeoutMs: TIMEOUT_MS, what: `${call.method} ${url}` });
}
