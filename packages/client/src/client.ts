import {
  API_BASE,
  type Endpoint,
  type EventResource,
  endpoints,
  type Operation,
} from '@oakestra/contracts/api';
import { createEventParser } from './event-text.ts';
import { ProblemError, problemFrom } from './problem-error.ts';
import type { CallOptions, PlainOperation, Reply, Request } from './types.ts';

export interface ClientOptions {
  /** Of the root, without path: `https://root.example.org:10000`. */
  readonly baseUrl: string;
  /** Asked before each request, so that whoever keeps it can renew it. */
  readonly token: () => Promise<string> | string;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** How long to wait before an interrupted stream is opened again, in ms. Default 1,000. */
  readonly reconnectMs?: number;
}

/** An answer with the tag of what was answered, for `ifMatch`. */
export interface Answer<Value> {
  readonly value: Value;
  readonly etag: string | undefined;
}

/** The operations of the clean API, typed by the same table that the server is made of. */
export interface Client {
  /** Rejects with `ProblemError` when the server refuses, with what `fetch` throws when it cannot be reached. */
  call<Name extends PlainOperation>(
    operation: Name,
    request: Request<Name> & CallOptions,
  ): Promise<Answer<Reply<Name>>>;
  /** Every entry of a list, page by page. */
  all<Name extends ListOperation>(
    operation: Name,
    request: Request<Name> & CallOptions,
  ): AsyncGenerator<ItemOf<Name>>;
  /**
   * What happens from now on, until `signal`. An interrupted stream is opened again where it was; `reset` says that
   * something was missed for good: read the state again.
   */
  follow(options: {
    readonly serviceId?: string;
    readonly signal: AbortSignal;
  }): AsyncGenerator<EventResource | 'reset'>;
}

export type ListOperation = {
  readonly [Name in PlainOperation]: Reply<Name> extends { readonly nextCursor: string | null }
    ? Name
    : never;
}[PlainOperation];
type ItemOf<Name extends ListOperation> =
  Reply<Name> extends { readonly items: readonly (infer Item)[] } ? Item : never;

interface AnyRequest extends CallOptions {
  readonly parameters?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

export function createClient(options: ClientOptions): Client {
  const { baseUrl, token, fetch: send = fetch, reconnectMs = 1000 } = options;

  const ask = async (
    operation: Operation,
    request: AnyRequest,
    extra: Record<string, string> = {},
  ): Promise<Response> => {
    const endpoint: Endpoint = endpoints[operation];
    const { body, ifMatch, idempotencyKey, signal } = request;
    const response = await send(urlOf(baseUrl, endpoint, request), {
      method: endpoint.method,
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...extra,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.ok) return response;
    throw new ProblemError(problemFrom(response.status, await response.text()));
  };

  const call: Client['call'] = async <Name extends PlainOperation>(operation: Name, request: AnyRequest) => {
    const response = await ask(operation, request);
    const value = response.status === 204 ? undefined : await response.json();
    return { value: value as Reply<Name>, etag: response.headers.get('etag') ?? undefined };
  };

  async function* all(operation: ListOperation, request: AnyRequest): AsyncGenerator<never> {
    let cursor: string | null | undefined;
    do {
      const query = { ...request.query, ...(cursor === undefined ? {} : { cursor }) };
      const response = await ask(operation, { ...request, query });
      const page = (await response.json()) as { items: never[]; nextCursor: string | null };
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** One connection, until it ends. */
  async function* stream(serviceId: string | undefined, lastId: string | undefined, signal: AbortSignal) {
    const query = serviceId === undefined ? {} : { serviceId };
    const extra: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId };
    const response = await ask('followEvents', { query, signal }, extra);
    for await (const { name, data } of eventsOf(response)) {
      yield name === 'reset' ? name : (JSON.parse(data) as EventResource);
    }
  }

  async function* follow({ serviceId, signal }: Parameters<Client['follow']>[0]) {
    let lastId: string | undefined;
    while (!signal.aborted) {
      try {
        for await (const event of stream(serviceId, lastId, signal)) {
          if (event !== 'reset') lastId = event.id;
          yield event;
        }
      } catch (error) {
        if (!signal.aborted && isFinal(error)) throw error;
      }
      await pause(reconnectMs, signal);
    }
  }

  return { call, all: all as Client['all'], follow };
}

/** A refusal does not become better by asking again. */
const isFinal = (error: unknown): boolean => error instanceof ProblemError && error.problem.status < 500;

function urlOf(baseUrl: string, { path }: Endpoint, { parameters = {}, query = {} }: AnyRequest): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(parameters[name] ?? '')),
  );
  const url = new URL(`${API_BASE}${filled}`, baseUrl);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

async function* eventsOf(response: Response) {
  const parse = createEventParser();
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? [])
    yield* parse(decoder.decode(piece as Uint8Array, { stream: true }));
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener('abort', end, { once: true });
  });
}
