import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { channelOptions } from '../link/grpc/connect.ts';
import { errorOfGrpc } from '../link/grpc/status.ts';
import { clientCredentials, type GrpcTls, type ServerCheck } from '../link/grpc/tls.ts';
import { register_clusterClient } from './registration.gen.ts';
import { type ClusterRegistration, writeGreeting, writeRegistration } from './registration-message.ts';

export interface RegistrationClientOptions extends ServerCheck {
  /** `host:port` of the root, IPv6 in brackets. */
  readonly endpoint: string;
  /** Through the HTTP proxy that the variable `grpc_proxy` names, where there is one. Default false. */
  readonly throughProxy?: boolean;
  /** `'insecure'`: for roots of the original only; nothing is encrypted, the token included. */
  readonly tls: GrpcTls | 'insecure';
  /** Time for each call, waiting for the root included. Default 120 s (root-api 8). */
  readonly timeoutMs?: number;
  /**
   * Wait for a root that is not there yet, up to the timeout (root-api 8). Default true. Callers that try again by
   * themselves say false: they hear at once why there is no connection, a refused certificate for instance.
   */
  readonly waitsForRoot?: boolean;
}

export interface RegistrationClient {
  /** Says hello, then registers; resolves to the id of the cluster. A failed hello is no failure. */
  register(registration: ClusterRegistration, signal?: AbortSignal): Promise<string>;
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 120_000;

type Answer<T> = (error: ServiceError | null, value: T) => void;

/** The cluster's side of the registration. Errors are `OakestraError`s of the kind that the status means. */
export function createRegistrationClient(options: RegistrationClientOptions): RegistrationClient {
  const { endpoint, tls, serverName } = options;
  const channelCredentials =
    tls === 'insecure' ? credentials.createInsecure() : clientCredentials(tls, options);
  const name = serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName };
  const client = new register_clusterClient(endpoint, channelCredentials, {
    ...channelOptions(options.throughProxy),
    ...name,
  });

  function call<T>(
    what: string,
    signal: AbortSignal | undefined,
    start: (metadata: Metadata, deadline: { deadline: number }, answer: Answer<T>) => { cancel(): void },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const metadata = new Metadata({ waitForReady: options.waitsForRoot ?? true });
      // gRPC counts deadlines on the wall clock.
      const deadline = { deadline: Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) };
      const running = start(metadata, deadline, (error, value) => {
        signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(value);
        else reject(errorOfGrpc(error, what));
      });
      const cancel = (): void => running.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted) cancel();
    });
  }

  return {
    async register(registration, signal) {
      const greeting = { clusterName: registration.clusterName, location: registration.clusterLocation };
      const hello = { helloServiceManager: writeGreeting(greeting) };
      await call(`greeting the root at ${endpoint}`, signal, (metadata, deadline, answer: Answer<unknown>) =>
        client.handleInitGreeting(hello, metadata, deadline, answer),
      ).catch((error: unknown) => {
        if (signal?.aborted) throw error;
      });
      const message = writeRegistration(registration);
      const answer = await call(
        `registering at the root at ${endpoint}`,
        signal,
        (metadata, deadline, done: Answer<{ id: string }>) =>
          client.handleInitFinal(message, metadata, deadline, done),
      );
      return answer.id;
    },
    close: () => client.close(),
  };
}
