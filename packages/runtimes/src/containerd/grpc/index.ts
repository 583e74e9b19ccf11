export { callOnce, type GrpcCall, openCall } from './call.ts';
export { createGrpcChannel, type GrpcChannel } from './channel.ts';
export { GrpcError, grpcCode } from './status.ts';
