import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { createConnection } from 'node:net';
import { GrpcError, grpcCode } from './status.ts';

/** One HTTP/2 connection to a daemon of this host. Made when a call needs it, and made anew after it was lost. */
export interface GrpcChannel {
  /** Opens the stream of one call. A connection that fails shows as `unavailable` on the stream. */
  open(path: string, headers: Readonly<Record<string, string>>): ClientHttp2Stream;
  /** Why a stream ended that got no status from the server, and that we did not cancel. */
  reasonOf(stream: ClientHttp2Stream, error: unknown): GrpcError;
  close(): void;
}

/** Enough for the layers of images to flow; containerd's own side decides about the other direction. */
const WINDOW_BYTES = 1 << 20;

/** What says more than that the connection was lost ("gRPC over HTTP2", "Errors"). */
const CODE_OF_RESET: ReadonlyMap<number | undefined, number> = new Map([
  [constants.NGHTTP2_PROTOCOL_ERROR, grpcCode.internal],
  [constants.NGHTTP2_FLOW_CONTROL_ERROR, grpcCode.internal],
  [constants.NGHTTP2_FRAME_SIZE_ERROR, grpcCode.internal],
  [constants.NGHTTP2_COMPRESSION_ERROR, grpcCode.internal],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, grpcCode.resourceExhausted],
]);

export function createGrpcChannel({ socketPath }: { readonly socketPath: string }): GrpcChannel {
  let session: ClientHttp2Session | undefined;
  let openCalls = 0;

  const connected = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const opened = connect('http://localhost', {
      createConnection: () => createConnection(socketPath),
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    opened.once('connect', () => opened.setLocalWindowSize(WINDOW_BYTES));
    // The calls that were open fail by it, and say so.
    opened.on('error', () => {});
    // What is open ends with the connection anyway, and a new call must not be put on a dying one.
    opened.on('goaway', () => {
      if (session === opened) session = undefined;
    });
    opened.once('close', () => {
      if (session === opened) session = undefined;
    });
    openCalls = 0;
    session = opened;
    return opened;
  };

  return {
    open(path, headers) {
      const used = connected();
      const stream = used.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: path,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [constants.HTTP2_HEADER_TE]: 'trailers',
        ...headers,
      });
      // A connection without calls does not keep the process alive.
      if (openCalls === 0) used.ref();
      openCalls += 1;
      stream.once('close', () => {
        if (session !== used) return;
        openCalls -= 1;
        if (openCalls === 0) used.unref();
      });
      return stream;
    },

    reasonOf({ rstCode }, error) {
      const text = error instanceof Error ? rootCauseOf(error).message : 'the connection was lost';
      return new GrpcError(CODE_OF_RESET.get(rstCode) ?? grpcCode.unavailable, text, error);
    },

    close() {
      session?.destroy();
      session = undefined;
    },
  };
}

/** `connect ENOENT …` says more than "the pending stream has been cancelled". */
function rootCauseOf(error: Error): Error {
  return error.cause instanceof Error ? rootCauseOf(error.cause) : error;
}
