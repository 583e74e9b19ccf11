import { Agent, request } from 'node:https';
import { OakestraError } from '@oakestra/contracts';

/** A user of an HTTPS server whose connections stay open. */
export interface HttpsClient {
  /** Resolves to the body as it came. Rejects unless the status is one of success. */
  send(
    method: string,
    path: string,
    options?: { readonly body?: unknown; readonly token?: string },
  ): Promise<Buffer>;
  close(): void;
}

/** Over as many connections as requests run at a time in the benchmarks here. */
export const CONNECTIONS = 8;
const TIMEOUT_MS = 60_000;

export function openHttpsClient({ port, ca }: { readonly port: number; readonly ca: string }): HttpsClient {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, noDelay: true, ca });
  return {
    send: (method, path, { body, token } = {}) =>
      new Promise((resolve, reject) => {
        const payload = body === undefined ? undefined : JSON.stringify(body);
        const headers = {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
          ...(payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) }),
        };
        const outgoing = request({
          host: '127.0.0.1',
          port,
          agent,
          method,
          path,
          headers,
          timeout: TIMEOUT_MS,
        });
        outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
        outgoing.once('error', reject);
        outgoing.once('response', (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part)).once('error', reject);
          response.once('end', () => {
            const answer = Buffer.concat(parts);
            const { statusCode: status = 0 } = response;
            if (status >= 200 && status < 300) return resolve(answer);
            const text = `${method} ${path}: HTTP ${status}: ${answer.toString().slice(0, 1000)}`;
            reject(new OakestraError('internal', 'api-refused', text));
          });
        });
        outgoing.end(payload);
      }),
    close: () => agent.destroy(),
  };
}
