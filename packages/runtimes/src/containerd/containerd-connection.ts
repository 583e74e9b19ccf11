import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { OakestraError } from '@oakestra/contracts';
import { runtimeClosed, runtimeTimeout, runtimeUnavailable } from '../runtime-errors.ts';

interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<
    Record<string, { readonly name: string; readonly requestType: unknown; readonly responseType: unknown }>
  >;
}

type MessageOf<Type> = Type extends Codec<infer Message> ? Message : never;
type MethodOf<Service extends ServiceDefinition> = keyof Service['methods'] & string;
type RequestOf<Service extends ServiceDefinition, Method extends MethodOf<Service>> = MessageOf<
  Service['methods'][Method]['requestType']
>;
type ResponseOf<Service extends ServiceDefinition, Method extends MethodOf<Service>> = MessageOf<
  Service['methods'][Method]['responseType']
>;

interface CallOptions {
  /** Default: 10 s for a single answer, none for streams. */
  readonly timeoutMs?: number;
  /** Id of the lease that holds what this call creates. */
  readonly lease?: string;
  readonly signal?: AbortSignal;
}

/** Both directions of one call. */
export interface Duplex<Request, Response> {
  /** Resolves when the message was taken over, so that awaiting it keeps the memory small. */
  send(request: Request): Promise<void>;
  /** No more requests follow. */
  end(): void;
  readonly responses: AsyncIterable<Response>;
  cancel(): void;
}

/** The gRPC channel to one containerd, within one of its namespaces. Connects at the first call. */
export interface ContainerdConnection {
  readonly socketPath: string;
  readonly namespace: string;
  unary<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
    service: Service,
    method: Method,
    request: RequestOf<Service, Method>,
    options?: CallOptions,
  ): Promise<ResponseOf<Service, Method>>;
  serverStream<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
    service: Service,
    method: Method,
    request: RequestOf<Service, Method>,
    options?: CallOptions,
  ): AsyncIterable<ResponseOf<Service, Method>>;
  duplex<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
    service: Service,
    method: Method,
    options?: CallOptions,
  ): Duplex<RequestOf<Service, Method>, ResponseOf<Service, Method>>;
  close(): void;
}

export interface ContainerdConnectionOptions {
  readonly socketPath: string;
  readonly namespace: string;
}

const defaultTimeoutMs = 10_000;
const megabyte = 1 << 20;

// A daemon on the same host: it is either there or not, so little is gained by waiting long between attempts.
const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': 64 * megabyte,
  'grpc.max_send_message_length': 16 * megabyte,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
};

function codecs(service: ServiceDefinition, method: string) {
  const definition = service.methods[method];
  if (definition === undefined) throw new TypeError(`${service.fullName} has no method ${method}`);
  const requestType = definition.requestType as Codec<unknown>;
  const responseType = definition.responseType as Codec<unknown>;
  return {
    path: `/${service.fullName}/${definition.name}`,
    serialize: (message: unknown): Buffer => {
      const bytes = requestType.encode(message).finish();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes: Buffer): unknown => responseType.decode(bytes),
  };
}

const nothing = (): void => {};

/** Calls `action` when the signal fires; the returned function forgets it. */
function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal === undefined) return nothing;
  if (signal.aborted) {
    action();
    return nothing;
  }
  signal.addEventListener('abort', action, { once: true });
  return () => signal.removeEventListener('abort', action);
}

export function createContainerdConnection(options: ContainerdConnectionOptions): ContainerdConnection {
  const { socketPath, namespace } = options;
  let client: Client | undefined;
  let isClosed = false;

  const connected = (): Client => {
    if (isClosed) throw runtimeClosed('containerd');
    client ??= new Client(`unix://${socketPath}`, credentials.createInsecure(), channelOptions);
    return client;
  };
  const metadataFor = (lease: string | undefined): Metadata => {
    const metadata = new Metadata();
    metadata.set('containerd-namespace', namespace);
    if (lease !== undefined) metadata.set('containerd-lease', lease);
    return metadata;
  };
  const explain = (path: string, error: unknown): unknown => {
    if (isClosed) return runtimeClosed('containerd');
    return containerdError(error, path, socketPath);
  };
  const deadlineOf = (timeoutMs: number | undefined) =>
    timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };

  /** Items of a stream; leaving the loop cancels the call. */
  async function* read<Response>(
    call: ClientReadableStream<Response> | ClientDuplexStream<unknown, Response>,
    path: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Response> {
    const forget = onAbort(signal, () => call.cancel());
    try {
      for await (const item of call) yield item as Response;
    } catch (error) {
      signal?.throwIfAborted();
      throw explain(path, error);
    } finally {
      forget();
      call.cancel();
    }
    signal?.throwIfAborted();
  }

  return {
    socketPath,
    namespace,
    unary<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
      service: Service,
      method: Method,
      request: RequestOf<Service, Method>,
      { timeoutMs = defaultTimeoutMs, lease, signal }: CallOptions = {},
    ): Promise<ResponseOf<Service, Method>> {
      return new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const { path, serialize, deserialize } = codecs(service, method);
        const call = connected().makeUnaryRequest(
          path,
          serialize,
          deserialize,
          request,
          metadataFor(lease),
          deadlineOf(timeoutMs),
          (error, response) => {
            forget();
            if (error === null) resolve(response as ResponseOf<Service, Method>);
            else reject(signal?.aborted ? signal.reason : explain(path, error));
          },
        );
        const forget = onAbort(signal, () => call.cancel());
      });
    },
    serverStream<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
      service: Service,
      method: Method,
      request: RequestOf<Service, Method>,
      { timeoutMs, lease, signal }: CallOptions = {},
    ): AsyncIterable<ResponseOf<Service, Method>> {
      const { path, serialize, deserialize } = codecs(service, method);
      const call = connected().makeServerStreamRequest(
        path,
        serialize,
        deserialize,
        request,
        metadataFor(lease),
        deadlineOf(timeoutMs),
      );
      // The reader learns of a failure; one before the first read, or after cancelling, would be uncaught.
      call.on('error', nothing);
      return read(call as ClientReadableStream<ResponseOf<Service, Method>>, path, signal);
    },
    duplex<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
      service: Service,
      method: Method,
      { timeoutMs, lease, signal }: CallOptions = {},
    ): Duplex<RequestOf<Service, Method>, ResponseOf<Service, Method>> {
      const { path, serialize, deserialize } = codecs(service, method);
      const call = connected().makeBidiStreamRequest(
        path,
        serialize,
        deserialize,
        metadataFor(lease),
        deadlineOf(timeoutMs),
      );
      call.on('error', nothing);
      return {
        send: (request) =>
          new Promise((resolve, reject) => {
            call.write(request, (error?: Error | null) => {
              if (error) reject(explain(path, error));
              else resolve();
            });
          }),
        end: () => call.end(),
        responses: read(call as ClientDuplexStream<unknown, ResponseOf<Service, Method>>, path, signal),
        cancel: () => call.cancel(),
      };
    },
    close() {
      isClosed = true;
      client?.close();
      client = undefined;
    },
  };
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && typeof (thrown as Partial<ServiceError>).code === 'number';
}

/** One mapping from gRPC to our errors; codes with `containerd-` are for callers inside the runtime. */
function containerdError(thrown: unknown, path: string, socketPath: string): unknown {
  if (!isServiceError(thrown)) return thrown;
  const operation = path.slice(path.lastIndexOf('.') + 1);
  const text = `${operation}: ${thrown.details}`;
  switch (thrown.code) {
    case status.UNAVAILABLE:
      return runtimeUnavailable('containerd', socketPath, thrown);
    case status.DEADLINE_EXCEEDED:
      return runtimeTimeout('containerd', operation, thrown);
    case status.NOT_FOUND:
      return new OakestraError('not-found', 'containerd-not-found', text, { cause: thrown });
    case status.ALREADY_EXISTS:
      return new OakestraError('conflict', 'containerd-exists', text, { cause: thrown });
    case status.FAILED_PRECONDITION:
      return new OakestraError('conflict', 'containerd-precondition', text, { cause: thrown });
    case status.INVALID_ARGUMENT:
      return new OakestraError('invalid', 'containerd-invalid', text, { cause: thrown });
    case status.UNIMPLEMENTED:
      return new OakestraError('unsupported', 'containerd-unsupported', text, { cause: thrown });
    default:
      // Deadlines travel along; whoever is behind containerd may notice ours before gRPC does.
      if (/context deadline exceeded/.test(thrown.details))
        return runtimeTimeout('containerd', operation, thrown);
      return new OakestraError('internal', 'containerd-failed', text, { cause: thrown });
  }
}

const hasCode =
  (code: string) =>
  (thrown: unknown): boolean =>
    thrown instanceof OakestraError && thrown.code === code;

/** containerd does not know the object. */
export const isContainerdNotFound = hasCode('containerd-not-found');
/** An object of this name exists already. */
export const isContainerdExists = hasCode('containerd-exists');
/** The object is in a state that does not allow the operation. */
export const isContainerdPrecondition = hasCode('containerd-precondition');
