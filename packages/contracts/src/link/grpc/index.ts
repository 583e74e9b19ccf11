export { type AcceptLinksOptions, acceptLinks, type LinkCaller } from './accept-links.ts';
export { type GrpcConnectOptions, grpcConnect } from './connect.ts';
export { clientCredentials, type GrpcTls, type ServerCheck, serverCredentials } from './tls.ts';
