import { OakestraError } from '@oakestra/contracts';
import { runtimeClosed, runtimeTimeout, runtimeUnavailable } from '../runtime-errors.ts';
import { callOnce, createGrpcChannel, type GrpcCall, GrpcError, grpcCode, openCall } from './grpc/index.ts';

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

/** The gRPC channel to one containerd, within one of its namespaces. Connects at the first call, and anew after it was lost. */
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

function codecs(service: ServiceDefinition, method: string) {
  const definition = service.methods[method];
  if (definition === undefined) throw new TypeError(`${service.fullName} has no method ${method}`);
  const requestType = definition.requestType as Codec<unknown>;
  const responseType = definition.responseType as Codec<unknown>;
  return {
    path: `/${service.fullName}/${definition.name}`,
    serialize: (message: unknown): Uint8Array => requestType.encode(message).finish(),
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
  const channel = createGrpcChannel({ socketPath });
  let isClosed = false;

  /** What every call has in common. */
  const callTo = (path: string, { timeoutMs, lease }: CallOptions) => {
    if (isClosed) throw runtimeClosed('containerd');
    return {
      path,
      headers: {
        'containerd-namespace': namespace,
        ...(lease === undefined ? {} : { 'containerd-lease': lease }),
      },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
  };
  const explain = (path: string, error: unknown): unknown => {
    if (isClosed) return runtimeClosed('containerd');
    return containerdError(error, path, socketPath);
  };

  /** Items of a stream; leaving the loop cancels the call. */
  async function* read<Response>(
    call: GrpcCall,
    about: { readonly path: string; readonly deserialize: (bytes: Buffer) => unknown },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Response> {
    const forget = onAbort(signal, () => call.cancel());
    try {
      for await (const item of call.responses()) yield about.deserialize(item) as Response;
    } catch (error) {
      signal?.throwIfAborted();
      throw explain(about.path, error);
    } finally {
      forget();
      call.cancel();
    }
    signal?.throwIfAborted();
  }

  return {
    socketPath,
    namespace,
    async unary<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
      service: Service,
      method: Method,
      request: RequestOf<Service, Method>,
      { timeoutMs = defaultTimeoutMs, lease, signal }: CallOptions = {},
    ): Promise<ResponseOf<Service, Method>> {
      signal?.throwIfAborted();
      const { path, serialize, deserialize } = codecs(service, method);
      const options = callTo(path, { timeoutMs, ...(lease === undefined ? {} : { lease }) });
      const { answer, cancel } = callOnce(channel, { ...options, message: serialize(request) });
      const forget = onAbort(signal, cancel);
      try {
        return deserialize(await answer) as ResponseOf<Service, Method>;
      } catch (error) {
        signal?.throwIfAborted();
        throw explain(path, error);
      } finally {
        forget();
      }
    },
    serverStream<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
      service: Service,
      method: Method,
      request: RequestOf<Service, Method>,
      options: CallOptions = {},
    ): AsyncIterable<ResponseOf<Service, Method>> {
      const { path, serialize, deserialize } = codecs(service, method);
      const call = openCall(channel, callTo(path, options));
      call.end(serialize(request));
      return read(call, { path, deserialize }, options.signal);
    },
    duplex<Service extends ServiceDefinition, Method extends MethodOf<Service>>(
      service: Service,
      method: Method,
      options: CallOptions = {},
    ): Duplex<RequestOf<Service, Method>, ResponseOf<Service, Method>> {
      const { path, serialize, deserialize } = codecs(service, method);
      const call = openCall(channel, callTo(path, options));
      return {
        send: (request) =>
          call.send(serialize(request)).catch((error: unknown) => {
            throw explain(path, error);
          }),
        end: () => call.end(),
        responses: read(call, { path, deserialize }, options.signal),
        cancel: () => call.cancel(),
      };
    },
    close() {
      isClosed = true;
      channel.close();
    },
  };
}

/** One mapping from gRPC to our errors; codes with `containerd-` are for callers inside the runtime. */
function containerdError(thrown: unknown, path: string, socketPath: string): unknown {
  if (!(thrown instanceof GrpcError)) return thrown;
  const operation = path.slice(path.lastIndexOf('.') + 1);
  const text = `${operation}: ${thrown.details}`;
  switch (thrown.code) {
    case grpcCode.unavailable:
      return runtimeUnavailable('containerd', socketPath, thrown);
    case grpcCode.deadlineExceeded:
      return runtimeTimeout('containerd', operation, thrown);
    case grpcCode.notFound:
      return new OakestraError('not-found', 'containerd-not-found', text, { cause: thrown });
    case grpcCode.alreadyExists:
      return new OakestraError('conflict', 'containerd-exists', text, { cause: thrown });
    case grpcCode.failedPrecondition:
      return new OakestraError('conflict', 'containerd-precondition', text, { cause: thrown });
    case grpcCode.invalidArgument:
      return new OakestraError('invalid', 'containerd-invalid', text, { cause: thrown });
    case grpcCode.unimplemented:
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
