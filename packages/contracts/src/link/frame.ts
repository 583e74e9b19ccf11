import { isUtf8 } from 'node:buffer';
import { OakestraError } from '../errors.ts';
import { LINK_CLASSES, type LinkClass } from './classes.ts';
import { MAX_UINT32, readVarint, varintLength, writeVarint } from './varint.ts';

/*
 * A frame is: kind (1 byte), length of the body (varint), body.
 *
 *   HELLO   magic "OAKL", then JSON (see hello.ts)
 *   DATA    stream (varint), class in bits 0-1 and flags in bits 2-3 (1 byte), payload
 *   CREDIT  stream, bytes (varints): the receiver of the frame may send that many more payload bytes
 *   RESET   stream, code (varints), reason (UTF-8); stream 0 means the link itself
 *   PING    nonce (varint)           PONG   the nonce of the ping
 *   BYE     reason (1 byte), grace in ms (varint)
 */

/** Payload bytes that one DATA frame carries at most: as long as a command can have to wait. */
export const MAX_DATA_BYTES = 16 * 1024;
/** Bytes of a frame's body at most. */
export const MAX_BODY_BYTES = MAX_DATA_BYTES + 16;

const MAX_REASON_BYTES = 1024;
const MAGIC = Buffer.from('OAKL', 'latin1');
const KIND = { hello: 1, data: 2, credit: 3, reset: 4, ping: 5, pong: 6, bye: 7 } as const;
const BYE_REASONS = ['restarting', 'leaving', 'superseded'] as const;
const FLAG_END = 4;
const FLAG_OPEN = 8;

/** Why a peer says goodbye: it comes back after the grace time, it leaves for good, or a newer link replaced this one. */
export type ByeReason = (typeof BYE_REASONS)[number];

export type DataFrame = {
  readonly kind: 'data';
  readonly stream: number;
  readonly linkClass: LinkClass;
  /** The first frame of an opened stream; its payload is the metadata of the stream. */
  readonly isOpen: boolean;
  /** The last frame of a message, or of this direction of an opened stream. */
  readonly isEnd: boolean;
  readonly payload: Uint8Array;
};

/** One unit on the wire of a link. */
export type Frame =
  | { readonly kind: 'hello'; readonly json: Uint8Array }
  | DataFrame
  | { readonly kind: 'credit'; readonly stream: number; readonly bytes: number }
  | { readonly kind: 'reset'; readonly stream: number; readonly code: number; readonly reason: string }
  | { readonly kind: 'ping'; readonly nonce: number }
  | { readonly kind: 'pong'; readonly nonce: number }
  | { readonly kind: 'bye'; readonly reason: ByeReason; readonly graceMs: number };

/** The error for bytes that no peer of ours sends. */
export function malformed(what: string, cause?: unknown): OakestraError {
  const options = cause === undefined ? {} : { cause };
  return new OakestraError('invalid', 'link-malformed', `malformed link data: ${what}`, options);
}

/** The bytes of `frame`. Throws `RangeError` when a number or a payload does not fit; callers split before. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'hello':
      return build(KIND.hello, [], [MAGIC, frame.json]);
    case 'data': {
      const flags =
        LINK_CLASSES.indexOf(frame.linkClass) | (frame.isEnd ? FLAG_END : 0) | (frame.isOpen ? FLAG_OPEN : 0);
      return build(KIND.data, [frame.stream, flags], [frame.payload]);
    }
    case 'credit':
      return build(KIND.credit, [frame.stream, frame.bytes], []);
    case 'reset':
      return build(KIND.reset, [frame.stream, frame.code], [clippedText(frame.reason)]);
    case 'ping':
    case 'pong':
      return build(KIND[frame.kind], [frame.nonce], []);
    case 'bye':
      return build(KIND.bye, [BYE_REASONS.indexOf(frame.reason), frame.graceMs], []);
  }
}

function build(kind: number, numbers: readonly number[], parts: readonly Uint8Array[]): Uint8Array {
  let bodyLength = 0;
  for (const number of numbers) {
    if (!Number.isInteger(number) || number < 0 || number > MAX_UINT32) {
      throw new RangeError(`a link frame carries integers from 0 to 2^32-1, not ${number}`);
    }
    bodyLength += varintLength(number);
  }
  for (const part of parts) bodyLength += part.length;
  if (bodyLength > MAX_BODY_BYTES) {
    throw new RangeError(`a link frame has at most ${MAX_BODY_BYTES} bytes, not ${bodyLength}`);
  }
  const bytes = Buffer.allocUnsafe(1 + varintLength(bodyLength) + bodyLength);
  bytes[0] = kind;
  let at = writeVarint(bytes, bodyLength, 1);
  for (const number of numbers) at = writeVarint(bytes, number, at);
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function clippedText(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= MAX_REASON_BYTES) return bytes;
  // Never ends within a character: its continuation bytes are 10xxxxxx.
  let end = MAX_REASON_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** Reads the body of a frame of the kind that the wire number `kind` names. Throws `link-malformed`. */
export function decodeFrame(kind: number, body: Uint8Array): Frame {
  const reader = bodyReader(body);
  switch (kind) {
    case KIND.hello:
      return { kind: 'hello', json: reader.afterMagic() };
    case KIND.data:
      return decodeData(reader);
    case KIND.credit:
      return reader.whole({ kind: 'credit', stream: reader.number('stream'), bytes: reader.number('bytes') });
    case KIND.reset:
      return {
        kind: 'reset',
        stream: reader.number('stream'),
        code: reader.number('code'),
        reason: reader.text('reason', MAX_REASON_BYTES),
      };
    case KIND.ping:
      return reader.whole({ kind: 'ping', nonce: reader.number('nonce') });
    case KIND.pong:
      return reader.whole({ kind: 'pong', nonce: reader.number('nonce') });
    case KIND.bye: {
      const index = reader.number('reason');
      const reason = BYE_REASONS[index];
      if (reason === undefined) throw malformed(`BYE names the unknown reason ${index}`);
      return reader.whole({ kind: 'bye', reason, graceMs: reader.number('grace') });
    }
    default:
      throw malformed(`unknown frame kind ${kind}`);
  }
}

function decodeData(reader: BodyReader): DataFrame {
  const stream = reader.number('stream');
  const flags = reader.number('flags');
  const linkClass = LINK_CLASSES[flags & 3];
  if (linkClass === undefined || flags > 15)
    throw malformed(`DATA of stream ${stream} has unknown flags ${flags}`);
  const payload = reader.rest();
  if (payload.length > MAX_DATA_BYTES) {
    throw malformed(
      `DATA of stream ${stream} has ${payload.length} bytes, at most ${MAX_DATA_BYTES} are allowed`,
    );
  }
  return {
    kind: 'data',
    stream,
    linkClass,
    isOpen: (flags & FLAG_OPEN) !== 0,
    isEnd: (flags & FLAG_END) !== 0,
    payload,
  };
}

type BodyReader = ReturnType<typeof bodyReader>;

function bodyReader(body: Uint8Array) {
  let at = 0;
  return {
    number(what: string): number {
      const read = readVarint(body, at);
      if (read === undefined) throw malformed(`the frame ends within its ${what}`);
      if (read === 'invalid') throw malformed(`the ${what} is no number of 32 bits`);
      at = read.next;
      return read.value;
    },
    rest: () => body.subarray(at),
    text(what: string, maxBytes: number): string {
      const bytes = body.subarray(at);
      if (bytes.length > maxBytes)
        throw malformed(`the ${what} has ${bytes.length} bytes, at most ${maxBytes} are allowed`);
      return decodeUtf8(bytes, what);
    },
    afterMagic(): Uint8Array {
      if (!MAGIC.equals(body.subarray(0, MAGIC.length)))
        throw malformed('the greeting is not that of an Oakestra link');
      return body.subarray(MAGIC.length);
    },
    whole<F extends Frame>(frame: F): F {
      if (at !== body.length)
        throw malformed(`${frame.kind.toUpperCase()} has ${body.length - at} bytes too many`);
      return frame;
    },
  };
}

/** Text of UTF-8 bytes; throws `link-malformed` where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  if (!isUtf8(bytes)) throw malformed(`the ${what} is not UTF-8`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
