import { describe, expect, test } from 'vitest';
import { encodeFrame, type Frame, MAX_DATA_BYTES } from './frame.ts';
import { createFrameReader } from './frame-reader.ts';
import { encodeHello, LINK_VERSION } from './hello.ts';
import { createLinkLedger } from './ledger.ts';
import type { LinkEnd } from './link-end.ts';
import { encodeEnvelope, type LinkMessage } from './message.ts';
import { createLinkSession, DEFAULT_LINK_SETTINGS, type LinkIdentity, type LinkSettings } from './session.ts';

const { limits } = DEFAULT_LINK_SETTINGS;
const identity: LinkIdentity = { role: 'root', name: 'r', incarnation: 'i', bootId: 'b', capabilities: [] };

function start(settings: Partial<LinkSettings> = {}) {
  const messages: { message: LinkMessage; settle: () => void }[] = [];
  const ends: LinkEnd[] = [];
  const streams: number[] = [];
  const session = createLinkSession({
    side: 'acceptor',
    identity,
    settings: { ...DEFAULT_LINK_SETTINGS, ...settings },
    ledger: createLinkLedger(),
    nowMs: 0,
    events: {
      onOpen() {},
      onMessage: (message, settle) => void messages.push({ message, settle }),
      onGap() {},
      onStream: (id) => void streams.push(id),
      onStreamData() {},
      onStreamEnd() {},
      onStreamReset() {},
      onStreamSent() {},
      onEnd: (end) => void ends.push(end),
    },
  });
  const send = (...frames: Frame[]): void => {
    for (const frame of frames) session.receive(encodeFrame(frame), 0);
  };
  const take = (maxBytes = MAX_DATA_BYTES, nowMs = 0): Frame[] => {
    const frames: Frame[] = [];
    createFrameReader().push(session.takeOutgoing(maxBytes, nowMs) ?? new Uint8Array(0), (frame) => {
      frames.push(frame);
      return true;
    });
    return frames;
  };
  return { session, messages, ends, streams, send, take };
}

function hello(changes: Record<string, unknown> = {}): Frame {
  const info = { version: LINK_VERSION, ...identity, role: 'cluster', name: 'c', incarnation: 'j', limits };
  return { kind: 'hello', json: encodeHello({ ...info, ...changes }) };
}

function opened(settings?: Partial<LinkSettings>) {
  const link = start(settings);
  link.send(hello());
  link.take();
  return link;
}

function data(sequence: number, changes: Record<string, unknown> = {}): Frame {
  const payload = encodeEnvelope({ sequence, type: 't' }, 'null');
  const frame = {
    kind: 'data',
    stream: 1,
    linkClass: 'commands',
    isOpen: false,
    isEnd: true,
    payload,
  } as const;
  return { ...frame, ...changes };
}

describe('session', () => {
  test('the accepting side says nothing before it knows whom it talks to', () => {
    const link = start();
    const message = { linkClass: 'commands', type: 'early', body: null } as const;
    expect(link.session.send(message, 0)).toBe(false);
    expect(link.take()).toEqual([]);
    link.send(hello());
    expect(link.take().map((frame) => frame.kind)).toEqual(['hello']);
    expect(link.session.send(message, 0)).toBe(true);
  });

  test('a command waits for one frame of bulk at most', () => {
    const { session, take } = opened();
    const id = session.openStream('bulk', {});
    session.writeStream(id ?? 0, Buffer.alloc(200_000));
    take();
    session.send({ linkClass: 'commands', type: 'stop', body: null }, 0);
    const [first] = take();
    expect(first).toMatchObject({ kind: 'data', linkClass: 'commands' });
  });

  test('a chunk is at most one frame larger than asked for', () => {
    const { session } = opened();
    const id = session.openStream('bulk', {});
    session.writeStream(id ?? 0, Buffer.alloc(200_000));
    for (let i = 0; i < 10; i++) {
      expect(session.takeOutgoing(MAX_DATA_BYTES, 0)?.length ?? 0).toBeLessThan(2 * MAX_DATA_BYTES + 64);
    }
  });

  test('repetitions are dropped', () => {
    const link = opened();
    link.send(data(1), data(2), data(2), data(1), data(3));
    expect(link.messages.map(({ message }) => message.sequence)).toEqual([1, 2, 3]);
  });

  test('a message that took too long to arrive is dropped', () => {
    const link = opened();
    const payload = encodeEnvelope({ sequence: 1, type: 't', deadlineMs: 50 }, '"late"');
    const first = data(1, { payload: payload.subarray(0, 10), isEnd: false });
    link.session.receive(encodeFrame(first), 100);
    link.session.receive(encodeFrame(data(1, { payload: payload.subarray(10) })), 151);
    expect(link.messages).toEqual([]);
    link.session.receive(encodeFrame(data(2)), 151);
    expect(link.messages).toHaveLength(1);
  });

  test('credit is given back in large pieces, and only for what was handled', () => {
    const { session, messages, send, take } = opened();
    const payload = encodeEnvelope({ sequence: 1, type: 't' }, JSON.stringify('x'.repeat(14_000)));
    const perWindow = Math.floor(limits.messageWindowBytes / payload.length);
    for (let i = 1; i <= perWindow; i++) {
      const bytes = encodeEnvelope({ sequence: i, type: 't' }, JSON.stringify('x'.repeat(14_000)));
      send(data(i, { payload: bytes }));
    }
    expect(take()).toEqual([]);
    for (const { settle } of messages) settle();
    const credits = take().filter((frame) => frame.kind === 'credit');
    expect(credits).toHaveLength(1);
    expect(credits[0]?.bytes).toBeGreaterThanOrEqual(limits.messageWindowBytes / 2);
    expect(session.state).toBe('open');
  });

  test.each<[string, Frame[], RegExp]>([
    ['data before the greeting', [data(1)], /DATA came before the greeting/],
    ['a second greeting', [hello(), hello()], /greets twice/],
    ['a message that is no JSON', [hello(), data(1, { payload: Buffer.from('{') })], /message is no JSON/],
    [
      'a message without type',
      [hello(), data(1, { payload: Buffer.from('{"sequence":1}') })],
      /message is invalid: type/,
    ],
    [
      'a message on the stream of another class',
      [hello(), data(1, { stream: 2 })],
      /another class than commands/,
    ],
    ['a stream that was never opened', [hello(), data(1, { stream: 40 })], /stream 40 was never opened/],
    ['a stream with our number', [hello(), data(1, { stream: 17, isOpen: true })], /may not open stream 17/],
    [
      'the end of all messages',
      [hello(), { kind: 'reset', stream: 1, code: 1, reason: '' }],
      /cannot be reset/,
    ],
    ['data for the link itself', [hello(), data(1, { stream: 0 })], /DATA needs a stream/],
    [
      'more bytes than credit',
      [
        hello(),
        data(1, { stream: 16, isOpen: true, isEnd: false, payload: Buffer.from('{}') }),
        ...Array.from({ length: 17 }, () =>
          data(1, { stream: 16, isEnd: false, payload: Buffer.alloc(MAX_DATA_BYTES) }),
        ),
      ],
      /more bytes on stream 16 than there was credit for/,
    ],
    [
      'a message without end',
      [
        hello(),
        ...Array.from({ length: 257 }, () =>
          data(1, { isEnd: false, payload: Buffer.alloc(MAX_DATA_BYTES) }),
        ),
      ],
      /has more than 4194304 bytes/,
    ],
  ])('ends on %s and says so', (_what, frames, message) => {
    const link = start();
    link.take();
    link.send(...frames);
    expect(link.ends).toEqual([
      { kind: 'error', by: 'us', code: 'link-malformed', message: expect.stringMatching(message) },
    ]);
    expect(link.take().at(-1)).toMatchObject({
      kind: 'reset',
      stream: 0,
      reason: expect.stringMatching(message),
    });
  });

  test('what the peer says about the end reaches the owner', () => {
    const link = opened();
    link.send({ kind: 'reset', stream: 0, code: 2, reason: 'not you' });
    expect(link.ends).toEqual([{ kind: 'error', by: 'peer', code: 'link-refused', message: 'not you' }]);
  });

  test('a peer may not open streams without end', () => {
    const link = opened();
    const open = (n: number): Frame =>
      data(1, { stream: 16 + 2 * n, isOpen: true, isEnd: false, payload: Buffer.from('{}') });
    for (let n = 0; n < 257; n++) link.send(open(n));
    expect(link.streams).toHaveLength(256);
    expect(link.take()).toEqual([
      { kind: 'reset', stream: 16 + 512, code: 4, reason: expect.stringMatching(/256/) },
    ]);
    link.send({ kind: 'reset', stream: 16, code: 1, reason: '' }, open(257));
    expect(link.streams).toHaveLength(257);
  });

  test('frames of a stream that is over are ignored, since they may have crossed its end', () => {
    const link = opened();
    const id = link.session.openStream('bulk', {}) ?? 0;
    link.take();
    link.session.resetStream(id, 'cancelled', 'enough');
    link.send(
      { kind: 'credit', stream: id, bytes: 5 },
      data(1, { stream: id, linkClass: 'bulk', isEnd: false, payload: Buffer.alloc(3) }),
    );
    expect(link.ends).toEqual([]);
  });

  test('a flood of pings is answered once', () => {
    const link = opened();
    for (let nonce = 0; nonce < 1_000; nonce++) link.send({ kind: 'ping', nonce });
    expect(link.take()).toEqual([{ kind: 'pong', nonce: 999 }]);
  });

  test('a goodbye waits for what can be sent, not for what cannot', () => {
    const link = opened();
    const body = 'x'.repeat(100_000);
    const dropped: string[] = [];
    for (let i = 0; i < 20; i++) {
      const onDropped = (reason: string): void => void dropped.push(reason);
      link.session.send({ linkClass: 'reports', type: 'page', body, onDropped }, 0);
    }
    link.session.bye('restarting', 30_000, 0);
    const kinds = new Set<string>();
    for (let frames = link.take(); frames.length > 0; frames = link.take()) {
      for (const frame of frames) kinds.add(frame.kind);
    }
    expect([...kinds]).toEqual(['data']);
    link.session.tick(link.session.wakeAtMs());
    expect(link.take()).toEqual([{ kind: 'bye', reason: 'restarting', graceMs: 30_000 }]);
    expect(dropped.length).toBeGreaterThan(10);
    expect(new Set(dropped)).toEqual(new Set(['closed']));
  });

  test('messages that are not taken in time make room when they expire', () => {
    const link = opened({ maxQueuedBytes: 1_000_000 });
    const send = (deadlineMs?: number): boolean =>
      link.session.send({ linkClass: 'status', type: 't', body: 'x'.repeat(400_000), deadlineMs }, 0);
    expect([send(10), send(), send()]).toEqual([true, true, false]);
    const message = { linkClass: 'status', type: 't', body: 'x'.repeat(400_000) } as const;
    expect(link.session.send(message, 10)).toBe(true);
  });

  test('a peer that does not greet is given up', () => {
    const link = start({ helloTimeoutMs: 500 });
    expect(link.session.wakeAtMs()).toBe(500);
    link.session.tick(500);
    expect(link.ends).toEqual([{ kind: 'silent', silentMs: 500 }]);
  });

  test('an idle hour costs little traffic', () => {
    const link = opened();
    let bytes = 0;
    for (let nowMs = link.session.wakeAtMs(); nowMs < 3_600_000; nowMs = link.session.wakeAtMs()) {
      link.session.tick(nowMs);
      bytes += link.session.takeOutgoing(MAX_DATA_BYTES, nowMs)?.length ?? 0;
      const pong = encodeFrame({ kind: 'pong', nonce: 1 });
      link.session.receive(pong, nowMs);
      bytes += pong.length;
    }
    expect(bytes / 60).toBeGreaterThan(10);
    expect(bytes / 60).toBeLessThan(40);
  });
});
