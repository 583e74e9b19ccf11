import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, frameMessage } from './message-frames.ts';

describe('messages in a stream', () => {
  it('come out as they went in, wherever the stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(400), { maxLength: 12 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(frameMessage));
        const edges = [...cuts.filter((cut) => cut < bytes.length), 0, bytes.length].sort((a, b) => a - b);
        const reader = createFrameReader(100);
        const received = edges.flatMap((edge, index) => reader.push(bytes.subarray(edge, edges[index + 1])));
        expect(received.map((message) => [...message])).toEqual(sent.map((message) => [...message]));
        expect(reader.isInside()).toBe(false);
      }),
    );
  });

  it('are not complete before their last byte', () => {
    const reader = createFrameReader(100);
    const bytes = frameMessage(Buffer.from('hello'));
    expect(reader.push(bytes.subarray(0, 9))).toEqual([]);
    expect(reader.isInside()).toBe(true);
    expect(reader.push(bytes.subarray(9)).map(String)).toEqual(['hello']);
  });

  it('are refused when they are too large or compressed', () => {
    expect(() => createFrameReader(3).push(frameMessage(Buffer.from('long')))).toThrow('more than 3');
    const compressed = frameMessage(Buffer.from('x'));
    compressed[0] = 1;
    expect(() => createFrameReader(100).push(compressed)).toThrow('compressed');
  });
});
