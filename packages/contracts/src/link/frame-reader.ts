import { decodeFrame, type Frame, MAX_BODY_BYTES, malformed } from './frame.ts';
import { readVarint } from './varint.ts';

/** Cuts a stream of bytes, arriving in pieces of any size, into frames. */
export interface FrameReader {
  /**
   * Takes the next bytes and calls `onFrame` for each frame that is complete. Payloads are views of `bytes`; whoever
   * keeps them keeps `bytes`. When `onFrame` returns `false`, the rest is thrown away. Throws `link-malformed`; after
   * that the reader is of no more use.
   */
  push(bytes: Uint8Array, onFrame: (frame: Frame) => boolean): void;
}

// Kind and the shortest length: less can never be a frame.
const SHORTEST_FRAME = 2;

export function createFrameReader(): FrameReader {
  let pieces: Uint8Array[] = [];
  let held = 0;
  let needed = SHORTEST_FRAME;

  return {
    push(bytes, onFrame) {
      if (bytes.length === 0) return;
      pieces.push(bytes);
      held += bytes.length;
      if (held < needed) return;
      const source = pieces.length === 1 ? bytes : Buffer.concat(pieces, held);
      let at = 0;
      for (;;) {
        const extent = extentOf(source, at);
        if (typeof extent === 'number') {
          needed = extent;
          break;
        }
        at = extent.end;
        if (onFrame(decodeFrame(extent.kind, source.subarray(extent.start, extent.end)))) continue;
        at = source.length;
        needed = SHORTEST_FRAME;
        break;
      }
      held = source.length - at;
      pieces = held === 0 ? [] : [source.subarray(at)];
    },
  };
}

/** Where the body of the frame at `at` lies, or how many bytes from there on are needed to tell. */
function extentOf(source: Uint8Array, at: number): { kind: number; start: number; end: number } | number {
  const available = source.length - at;
  if (available < SHORTEST_FRAME) return SHORTEST_FRAME;
  const kind = source[at] ?? 0;
  const length = readVarint(source, at + 1);
  if (length === undefined) return available + 1;
  if (length === 'invalid' || length.value > MAX_BODY_BYTES) {
    const size = length === 'invalid' ? 'no valid length' : `${length.value} bytes`;
    throw malformed(`a frame of kind ${kind} announces ${size}, at most ${MAX_BODY_BYTES} are allowed`);
  }
  const end = length.next + length.value;
  return end > source.length ? end - at : { kind, start: length.next, end };
}
