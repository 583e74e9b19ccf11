import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OakestraError } from '../errors.ts';
import { LINK_CLASSES } from './classes.ts';
import { encodeFrame, type Frame, MAX_BODY_BYTES, MAX_DATA_BYTES } from './frame.ts';
import { createFrameReader } from './frame-reader.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('hello' as const), json: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    kind: fc.constant('data' as const),
    stream: uint32,
    linkClass: fc.constantFrom(...LINK_CLASSES),
    isOpen: fc.boolean(),
    isEnd: fc.boolean(),
    payload: fc.uint8Array({ maxLength: 400 }),
  }),
  fc.record({ kind: fc.constant('credit' as const), stream: uint32, bytes: uint32 }),
  fc.record({
    kind: fc.constant('reset' as const),
    stream: uint32,
    code: uint32,
    reason: fc.string({ unit: 'grapheme', maxLength: 50 }),
  }),
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), nonce: uint32 }),
  fc.record({
    kind: fc.constant('bye' as const),
    reason: fc.constantFrom('restarting' as const, 'leaving' as const, 'superseded' as const),
    graceMs: uint32,
  }),
) as fc.Arbitrary<Frame>;

/** Frames with plain arrays, so that views and buffers compare by content. */
function plain(frame: Frame): unknown {
  if (frame.kind === 'hello') return { ...frame, json: Array.from(frame.json) };
  return frame.kind === 'data' ? { ...frame, payload: Array.from(frame.payload) } : frame;
}

function read(pieces: Iterable<Uint8Array>): unknown[] {
  const reader = createFrameReader();
  const frames: unknown[] = [];
  for (const piece of pieces) {
    reader.push(piece, (frame) => {
      frames.push(plain(frame));
      return true;
    });
  }
  return frames;
}

function* cut(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

describe('frames', () => {
  test('come back as they were, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 8 }),
        fc.array(fc.integer({ min: 0, max: 40 })),
        (frames, sizes) => {
          const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame)));
          expect(read(cut(bytes, sizes))).toEqual(frames.map(plain));
        },
      ),
    );
  });

  test('any other bytes are refused with a named error, never with another', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          read([bytes]);
        } catch (error) {
          expect(error).toBeInstanceOf(OakestraError);
          expect((error as OakestraError).code).toBe('link-malformed');
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('a ping takes three bytes', () => {
    expect(encodeFrame({ kind: 'ping', nonce: 127 })).toHaveLength(3);
  });

  test.each([
    ['an unknown kind', [0x2a, 0], /unknown frame kind 42/],
    ['a greeting of something else', [1, 4, 0x47, 0x45, 0x54, 0x20], /not that of an Oakestra link/],
    ['a body that is too long', [2, 0x80, 0x80, 0x7f], /announces \d+ bytes, at most/],
    ['a length that never ends', [2, 0xff, 0xff, 0xff, 0xff, 0xff], /no valid length/],
    ['a length that is padded', [5, 0x81, 0x00], /no valid length/],
    ['unknown flags', [2, 2, 1, 0x10], /unknown flags 16/],
    ['a credit that is cut off', [3, 1, 1], /ends within its bytes/],
    ['bytes too many', [5, 2, 1, 1], /PING has 1 bytes too many/],
    ['an unknown goodbye', [7, 2, 9, 0], /unknown reason 9/],
    ['text that is not UTF-8', [4, 3, 1, 1, 0xff], /reason is not UTF-8/],
  ])('%s is refused', (_what, bytes, message) => {
    expect(() => read([Uint8Array.from(bytes)])).toThrow(message);
  });

  test('a payload that is too large is refused on both sides', () => {
    const payload = new Uint8Array(MAX_DATA_BYTES + 1);
    const frame = { kind: 'data', stream: 1, linkClass: 'bulk', isOpen: false, isEnd: false } as const;
    const bytes = encodeFrame({ ...frame, payload });
    expect(() => read([bytes])).toThrow(/has 16385 bytes, at most 16384/);
    expect(() => encodeFrame({ ...frame, payload: new Uint8Array(MAX_BODY_BYTES) })).toThrow(RangeError);
  });

  test('numbers beyond 32 bits do not get onto the wire', () => {
    for (const nonce of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => encodeFrame({ kind: 'ping', nonce })).toThrow(RangeError);
    }
  });

  test('a long reason is cut at a character', () => {
    const bytes = encodeFrame({ kind: 'reset', stream: 0, code: 1, reason: '€'.repeat(2_000) });
    const [frame] = read([bytes]) as { reason: string }[];
    expect(frame?.reason).toBe('€'.repeat(341));
  });
});
