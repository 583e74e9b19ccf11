import type { PeerCertificate } from 'node:tls';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { grpcStatusOf } from '../link/grpc/status.ts';
import { type PeerAddress, parsePeerAddress } from './peer-address.ts';
import type { CS1Message, CS2Message, SC1Message, SC2Message } from './registration.gen.ts';
import { type register_clusterServer, register_clusterService } from './registration.gen.ts';
import {
  type ClusterGreeting,
  type ClusterRegistration,
  readGreeting,
  readRegistration,
} from './registration-message.ts';

/** Who registers. */
export interface RegistrationCaller {
  /** Where the call came from; behind NAT or a proxy that is not the cluster itself. */
  readonly address: PeerAddress | undefined;
  /** Verified certificate, if the caller showed one. */
  readonly certificate: PeerCertificate | undefined;
}

/** What a root does when clusters register. An `OakestraError` reaches the cluster as status and message. */
export interface RegistrationHandlers {
  /** Stores or updates the cluster and resolves to its id (root-api 8: the same id for the same name). */
  register(registration: ClusterRegistration, caller: RegistrationCaller): Promise<string>;
  /** For the log. */
  onGreeting?(greeting: ClusterGreeting, caller: RegistrationCaller): void;
  /** A call failed; the cluster was told. For the log. */
  onError?(error: unknown, caller: RegistrationCaller): void;
}

export interface RegistrationService {
  readonly definition: typeof register_clusterService;
  readonly implementation: register_clusterServer;
}

const ANSWER = 'please send your cluster info';

/** For `server.addService(service.definition, service.implementation)`. */
export function registrationService(handlers: RegistrationHandlers): RegistrationService {
  async function register(
    call: ServerUnaryCall<CS2Message, SC2Message>,
    answer: sendUnaryData<SC2Message>,
  ): Promise<void> {
    const caller = callerOf(call);
    try {
      answer(null, { id: await handlers.register(readRegistration(call.request), caller) });
    } catch (error) {
      handlers.onError?.(error, caller);
      answer(grpcStatusOf(error));
    }
  }
  return {
    definition: register_clusterService,
    implementation: {
      handleInitGreeting(call: ServerUnaryCall<CS1Message, SC1Message>, answer: sendUnaryData<SC1Message>) {
        handlers.onGreeting?.(readGreeting(call.request.helloServiceManager), callerOf(call));
        answer(null, { helloClusterManager: ANSWER });
      },
      handleInitFinal: (call: ServerUnaryCall<CS2Message, SC2Message>, answer: sendUnaryData<SC2Message>) =>
        void register(call, answer),
    },
  };
}

function callerOf(call: {
  getPeer(): string;
  getAuthContext(): { sslPeerCertificate?: PeerCertificate };
}): RegistrationCaller {
  return { address: parsePeerAddress(call.getPeer()), certificate: call.getAuthContext().sslPeerCertificate };
}
