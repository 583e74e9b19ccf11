import { request } from 'node:https';
import { messageOf, OakestraError } from '@oakestra/contracts';
import { type NodeRegistrationAnswer, nodeRegistrationAnswerSchema } from '@oakestra/contracts/worker-wire';
import { type TlsIdentity, tlsClientOptions } from '@oakestra/pki';

export interface RegisterOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 10_000;
const LONGEST_ANSWER_BYTES = 64 * 1024;

/** `POST /api/node/register` at the cluster (cluster-protocol 4). Over node:https: the worker has no fetch. */
export function registerAtCluster(options: RegisterOptions): Promise<NodeRegistrationAnswer> {
  const { host, port, tls, signal } = options;
  const where = `the cluster at ${host}:${port}`;
  return new Promise((resolve, reject) => {
    const fail = (text: string, cause?: unknown): void =>
      reject(new OakestraError('unavailable', 'cluster-unreachable', `${where} ${text}`, { cause }));
    const body = JSON.stringify(options.body);
    const call = request(
      {
        ...tlsClientOptions(tls, { serverRole: 'cluster' }),
        host,
        port,
        method: 'POST',
        path: '/api/node/register',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        timeout: TIMEOUT_MS,
        agent: false,
        signal,
      },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          if (bytes > LONGEST_ANSWER_BYTES) call.destroy(new Error('its answer is too long'));
          else parts.push(part);
        });
        response.on('error', (error) => fail(`did not answer: ${messageOf(error)}`, error));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          if (response.statusCode !== 200) {
            fail(`refused the registration (${response.statusCode}): ${text.slice(0, 500)}`);
            return;
          }
          try {
            resolve(nodeRegistrationAnswerSchema.parse(JSON.parse(text)));
          } catch (error) {
            fail(`gave an answer that is not understood: ${messageOf(error)}`, error);
          }
        });
      },
    );
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    call.on('error', (error) => fail(`cannot be reached: ${messageOf(error)}`, error));
    call.end(body);
  });
}
