import http from 'node:http';
import type { Clock } from '@oakestra/daemon';

const USER_AGENT = 'oakestra';

interface HttpRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HttpTransportOptions {
  readonly clock: Clock;
  /** From the call until the headers of the answer are there, and between two pieces of a body. */
  readonly idleTimeoutMs: number;
  /** Certificates to trust for a host beside the publicly known ones. */
  readonly caPemFor: (host: string) => string | undefined;
}

/** Plain requests over Node's own client: `fetch` would cost every worker 10 MiB. */
export interface HttpTransport {
  send(request: HttpRequest): Promise<http.IncomingMessage>;
  /** The bytes of an answer. Fails when they stop coming; the time the reader takes does not count. */
  read(response: http.IncomingMessage): AsyncGenerator<Buffer, void>;
  close(): void;
}

/** Nothing came for too long. */
class IdleTimeoutError extends Error {
  readonly code = 'ETIMEDOUT';
}

interface Protocol {
  readonly request: typeof http.request;
  readonly agent: http.Agent;
}

export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { clock, idleTimeoutMs } = options;
  const agents: http.Agent[] = [];
  const agentOptions = { keepAlive: true, maxSockets: 8 };
  let plain: Protocol | undefined;
  const secure = new Map<string, Promise<Protocol>>();

  const openPlain = (): Protocol => {
    const agent = new http.Agent(agentOptions);
    agents.push(agent);
    return { request: http.request, agent };
  };
  const openSecure = async (caPem: string | undefined): Promise<Protocol> => {
    const https = await import('node:https');
    const ca = caPem === undefined ? {} : { ca: [...(await import('node:tls')).rootCertificates, caPem] };
    const agent = new https.Agent({ ...agentOptions, ...ca });
    agents.push(agent);
    return { request: https.request, agent };
  };
  const protocolFor = (url: URL): Protocol | Promise<Protocol> => {
    if (url.protocol === 'http:') {
      plain ??= openPlain();
      return plain;
    }
    const caPem = options.caPemFor(url.host);
    const known = secure.get(caPem ?? '') ?? openSecure(caPem);
    secure.set(caPem ?? '', known);
    return known;
  };

  return {
    async send({ method, url, headers, signal }) {
      const { request, agent } = await protocolFor(url);
      signal.throwIfAborted();
      return await new Promise((resolve, reject) => {
        const outgoing = request(url, {
          method,
          headers: { 'user-agent': USER_AGENT, ...headers },
          agent,
          signal,
        });
        const cancelTimer = clock.setTimer(idleTimeoutMs, () => {
          outgoing.destroy(new IdleTimeoutError(`no answer within ${idleTimeoutMs / 1000} s`));
        });
        outgoing.on('response', (response) => {
          cancelTimer();
          // A body that nobody reads (any more) may break off without taking the process along.
          response.on('error', () => undefined);
          resolve(response);
        });
        outgoing.on('error', (error) => {
          cancelTimer();
          reject(error);
        });
        outgoing.end();
      });
    },

    async *read(response) {
      const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      try {
        for (;;) {
          const cancelTimer = clock.setTimer(idleTimeoutMs, () => {
            response.destroy(new IdleTimeoutError(`no data for ${idleTimeoutMs / 1000} s`));
          });
          const next = await chunks.next().finally(cancelTimer);
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        response.destroy();
      }
    },

    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}
