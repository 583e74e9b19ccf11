import { OakestraError } from '../../errors.ts';
import type { ConnectTransport } from '../dial.ts';
import { clientCallTransport } from './call-transport.ts';
import { LinkClient } from './link.gen.ts';
import { clientCredentials, type GrpcTls, type ServerCheck } from './tls.ts';

export interface GrpcConnectOptions extends ServerCheck {
  /** Asked before each try, so that a renewed certificate is used. */
  tls(): GrpcTls;
  /** Through the HTTP proxy that the variable `grpc_proxy` names, where there is one. Default false. */
  readonly throughProxy?: boolean;
}

/** Options of every channel of ours: one connection each, no buffering for retries, no lookups beside the address. */
export function channelOptions(throughProxy = false) {
  return {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': throughProxy ? 1 : 0,
    'grpc.service_config_disable_resolution': 1,
  } as const;
}

/** For `dialLink`: opens links over gRPC with mutual TLS. Endpoints are `host:port`, IPv6 in brackets. */
export function grpcConnect(options: GrpcConnectOptions): ConnectTransport {
  return async (endpoint, signal) => {
    if (signal.aborted)
      throw new OakestraError('unavailable', 'link-connect-aborted', 'dialling was given up');
    const name =
      options.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': options.serverName };
    const client = new LinkClient(endpoint, clientCredentials(options.tls(), options), {
      ...channelOptions(options.throughProxy),
      ...name,
    });
    return clientCallTransport(client.open(), () => client.close());
  };
}
