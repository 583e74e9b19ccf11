import { type ClientHttp2Stream, constants } from 'node:http2';
import type { GrpcChannel } from './channel.ts';
import { createFrameReader, frameMessage } from './message-frames.ts';
import { GrpcError, grpcCode, statusIn } from './status.ts';

export interface GrpcCallOptions {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Told to the server as well. Default: none. */
  readonly timeoutMs?: number;
}

const MAX_MESSAGE_BYTES = 64 << 20;
/** The header has room for eight digits. */
const LONGEST_TIMEOUT_MS = 99_999_999;

/** A call with any number of messages in both directions. */
export interface GrpcCall {
  /** Resolves when the message was taken over, so that awaiting it keeps the memory small. */
  send(message: Uint8Array): Promise<void>;
  /** No more requests follow. */
  end(last?: Uint8Array): void;
  /** The answers; throws a `GrpcError` when the call did not end well. Can be read once. */
  responses(): AsyncGenerator<Buffer, void>;
  cancel(): void;
}

export function openCall(channel: GrpcChannel, options: GrpcCallOptions): GrpcCall {
  const { stream, outcome, cancel } = begin(channel, options);
  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        stream.write(frameMessage(message), (error) => {
          if (error == null) resolve();
          else reject(channel.reasonOf(stream, error));
        });
      }),
    end(last) {
      if (last === undefined) stream.end();
      else stream.end(frameMessage(last));
    },
    async *responses() {
      const frames = createFrameReader(MAX_MESSAGE_BYTES);
      try {
        for await (const piece of stream) yield* frames.push(piece as Buffer);
      } catch (error) {
        // Our own words about a broken message, or the server's about the call, say more than the stream's.
        throw error instanceof GrpcError ? error : ((await outcome) ?? error);
      }
      const failure = await outcome;
      if (failure !== undefined) throw failure;
    },
    cancel,
  };
}

/** One message there, one back. */
export function callOnce(
  channel: GrpcChannel,
  options: GrpcCallOptions & { readonly message: Uint8Array },
): { readonly answer: Promise<Buffer>; cancel(): void } {
  const { stream, outcome, cancel } = begin(channel, options);
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.end(frameMessage(options.message));
  const answer = outcome.then((failure) => {
    if (failure !== undefined) throw failure;
    const [message, ...more] = createFrameReader(MAX_MESSAGE_BYTES).push(Buffer.concat(pieces));
    if (message === undefined || more.length > 0) {
      throw new GrpcError(grpcCode.internal, `${more.length + 1} answers instead of one`);
    }
    return message;
  });
  return { answer, cancel };
}

interface Begun {
  readonly stream: ClientHttp2Stream;
  /** Resolves at the end of the call: undefined when it went well. */
  readonly outcome: Promise<GrpcError | undefined>;
  cancel(): void;
}

function begin(channel: GrpcChannel, { path, headers, timeoutMs }: GrpcCallOptions): Begun {
  const timeout =
    timeoutMs === undefined
      ? {}
      : { 'grpc-timeout': `${Math.min(LONGEST_TIMEOUT_MS, Math.ceil(timeoutMs))}m` };
  const stream = channel.open(path, { ...headers, ...timeout });
  let isCancelled = false;
  const outcome = new Promise<GrpcError | undefined>((resolve) => {
    let status: ReturnType<typeof statusIn>;
    let error: unknown;
    let timer: NodeJS.Timeout | undefined;
    const settle = (failure: GrpcError | undefined): void => {
      clearTimeout(timer);
      resolve(failure);
    };
    const settleBy = ({ code, details }: NonNullable<typeof status>): void =>
      settle(code === grpcCode.ok ? undefined : new GrpcError(code, details));
    if (timeoutMs !== undefined) {
      timer = setTimeout(() => {
        settle(new GrpcError(grpcCode.deadlineExceeded, `no answer within ${timeoutMs} ms`));
        stream.close(constants.NGHTTP2_CANCEL);
      }, timeoutMs);
    }
    stream.on('response', (received) => {
      status = statusIn(received);
      const httpStatus = Number(received[constants.HTTP2_HEADER_STATUS]);
      if (status === undefined && httpStatus !== 200) {
        status = { code: grpcCode.unavailable, details: `HTTP status ${httpStatus}` };
      }
    });
    stream.on('trailers', (received) => {
      status ??= statusIn(received);
    });
    stream.on('error', (thrown) => {
      error = thrown;
    });
    stream.on('end', () => {
      if (status !== undefined) settleBy(status);
    });
    stream.on('close', () => {
      if (status !== undefined) settleBy(status);
      else if (isCancelled) settle(new GrpcError(grpcCode.cancelled, 'cancelled by the caller'));
      else settle(channel.reasonOf(stream, error));
    });
  });
  return {
    stream,
    outcome,
    cancel() {
      isCancelled = true;
      stream.close(constants.NGHTTP2_CANCEL);
    },
  };
}
