import type { ClientDuplexStream, ServerDuplexStream, ServiceError, StatusObject } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { LinkTransport, TransportEvents } from '../transport.ts';
import type { Chunk } from './link.gen.ts';
import { describeStatus } from './status.ts';

type Call = ClientDuplexStream<Chunk, Chunk> | ServerDuplexStream<Chunk, Chunk>;

/** Bytes handed to gRPC and not yet to the socket. Beyond it, commands have to be able to overtake. */
const HIGH_WATER_BYTES = 32 * 1024;

interface CallTransportOptions {
  readonly call: Call;
  /** Ends the call at once. */
  cut(): void;
  /** The call is over. */
  onOver?(): void;
}

function createCallTransport({ call, cut, onOver }: CallTransportOptions) {
  let events: TransportEvents | undefined;
  let pendingBytes = 0;
  let isFull = false;
  let isEnding = false;
  let closedMessage: string | undefined;

  function closed(message: string): void {
    if (closedMessage !== undefined) return;
    closedMessage = message;
    isEnding = true;
    onOver?.();
    events?.onClosed(message);
  }

  function written(bytes: number): void {
    pendingBytes -= bytes;
    if (!isFull || pendingBytes >= HIGH_WATER_BYTES || closedMessage !== undefined) return;
    isFull = false;
    events?.onDrain();
  }

  const transport: LinkTransport = {
    start(given) {
      events = given;
      call.on('data', (chunk: Chunk) => {
        if (closedMessage === undefined) given.onBytes(chunk.data);
      });
      if (closedMessage !== undefined) given.onClosed(closedMessage);
    },
    send(bytes) {
      if (isEnding) return true;
      pendingBytes += bytes.length;
      isFull = pendingBytes >= HIGH_WATER_BYTES;
      call.write({ data: bytes }, () => written(bytes.length));
      return !isFull;
    },
    close() {
      if (isEnding) return;
      isEnding = true;
      call.end();
    },
    destroy() {
      if (closedMessage !== undefined) return;
      cut();
      closed('the connection was cut here');
    },
  };
  return { transport, closed };
}

/** The transport of a call that this process made. `onOver` releases what the call needed. */
export function clientCallTransport(
  call: ClientDuplexStream<Chunk, Chunk>,
  onOver: () => void,
): LinkTransport {
  const { transport, closed } = createCallTransport({ call, cut: () => call.cancel(), onOver });
  // The status event tells the same; without a listener an error would end the process.
  call.on('error', (error: ServiceError) => closed(describeStatus(error)));
  call.on('status', (result: StatusObject) => {
    closed(result.code === status.OK ? 'the connection was closed' : describeStatus(result));
  });
  return transport;
}

/** The transport of a call that a client made to this process. */
export function serverCallTransport(call: ServerDuplexStream<Chunk, Chunk>): LinkTransport {
  const cut = (): void => {
    call.emit('error', { code: status.ABORTED, details: 'the link was cut' });
  };
  const { transport, closed } = createCallTransport({ call, cut });
  call.on('cancelled', () => closed('the connection was reset'));
  call.on('error', (error: Error) => closed(error.message));
  call.on('close', () => closed('the connection was closed'));
  // The client says that it will send no more: nothing is left to be said to it.
  call.on('end', () => transport.close());
  return transport;
}
