import { GrpcError, grpcCode } from './status.ts';

const HEAD_BYTES = 5;

/** One message as it stands in a stream: not compressed, its length, the bytes. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

/** Puts messages together from pieces that the network cut anywhere. */
export interface FrameReader {
  /** The messages that are complete with this piece. Fails when one is too large or compressed. */
  push(piece: Buffer): Buffer[];
  /** Is the beginning of a message left over? */
  isInside(): boolean;
}

export function createFrameReader(maxBytes: number): FrameReader {
  let rest: Buffer = Buffer.alloc(0);
  const pieces: Buffer[] = [];
  let pieceBytes = 0;

  const neededBytes = (): number => {
    if (rest.length < HEAD_BYTES) return HEAD_BYTES;
    if (rest[0] !== 0)
      throw new GrpcError(grpcCode.internal, 'a message is compressed, which was not agreed');
    const length = rest.readUInt32BE(1);
    if (length > maxBytes) {
      throw new GrpcError(grpcCode.resourceExhausted, `a message has ${length} bytes, more than ${maxBytes}`);
    }
    return HEAD_BYTES + length;
  };
  /** Joined only when enough is there: a large message in small pieces is copied once. */
  const join = (): void => {
    if (pieces.length === 0) return;
    rest = Buffer.concat([rest, ...pieces]);
    pieces.length = 0;
    pieceBytes = 0;
  };

  return {
    push(piece) {
      const messages: Buffer[] = [];
      if (rest.length === 0 && pieces.length === 0) rest = piece;
      else {
        pieces.push(piece);
        pieceBytes += piece.length;
        if (rest.length < HEAD_BYTES) join();
      }
      while (rest.length > 0 && rest.length + pieceBytes >= neededBytes()) {
        join();
        const needed = neededBytes();
        if (rest.length < needed) break;
        messages.push(rest.subarray(HEAD_BYTES, needed));
        rest = rest.subarray(needed);
      }
      return messages;
    },
    isInside: () => rest.length + pieceBytes > 0,
  };
}
