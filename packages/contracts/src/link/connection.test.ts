import { describe, expect, test } from 'vitest';
import { type LinkConnection, openLink } from './connection.ts';
import { encodeFrame, type Frame } from './frame.ts';
import { createFrameReader } from './frame-reader.ts';
import { encodeHello, LINK_VERSION } from './hello.ts';
import { createLinkLedger } from './ledger.ts';
import type { LinkEnd } from './link-end.ts';
import { encodeEnvelope } from './message.ts';
import { DEFAULT_LINK_SETTINGS } from './session.ts';
import { createTestClock } from './test-clock.ts';
import type { TransportEvents } from './transport.ts';

const identity = { role: 'root', name: 'r', incarnation: 'i', bootId: 'b', capabilities: [] };

/** A link whose transport the test plays. */
function open() {
  const clock = createTestClock();
  const sent: Frame[] = [];
  const reader = createFrameReader();
  const errors: unknown[] = [];
  const ends: LinkEnd[] = [];
  const calls = { send: 0, close: 0, destroy: 0 };
  let hasRoom = true;
  let events: TransportEvents | undefined;
  let connection: LinkConnection | undefined;
  openLink({
    transport: {
      start(given) {
        events = given;
      },
      send(bytes) {
        calls.send += 1;
        reader.push(bytes, (frame) => sent.push(frame) > 0);
        return hasRoom;
      },
      close: () => void calls.close++,
      destroy: () => void calls.destroy++,
    },
    side: 'dialer',
    identity,
    settings: DEFAULT_LINK_SETTINGS,
    ledger: createLinkLedger(),
    clock,
    log: { info() {}, warn() {}, error: (_message, fields) => void errors.push(fields?.error) },
    onUp(opened) {
      connection = opened;
    },
    onDown: (end) => void ends.push(end),
  });
  const receive = (...frames: Frame[]): void => {
    for (const frame of frames) events?.onBytes(encodeFrame(frame));
  };
  const { limits } = DEFAULT_LINK_SETTINGS;
  receive({ kind: 'hello', json: encodeHello({ version: LINK_VERSION, ...identity, limits }) });
  if (connection === undefined || events === undefined) throw new Error('the link did not open');
  sent.length = 0;
  calls.send = 0;
  const setRoom = (room: boolean): void => {
    hasRoom = room;
  };
  return { clock, connection, events, receive, sent, calls, errors, ends, setRoom };
}

function message(sequence: number, type: string): Frame {
  const payload = encodeEnvelope({ sequence, type }, 'null');
  return { kind: 'data', stream: 1, linkClass: 'commands', isOpen: false, isEnd: true, payload };
}

describe('connection', () => {
  test('what is sent in one turn goes out together, in the same tick', async () => {
    const { connection, sent, calls } = open();
    for (let i = 0; i < 5; i++) connection.send('status', 't', i);
    await Promise.resolve();
    expect(sent).toHaveLength(5);
    expect(calls.send).toBe(1);
  });

  test('a transport that is full gets nothing until it drains, and then what is urgent first', async () => {
    const { connection, events, sent, setRoom } = open();
    setRoom(false);
    const stream = connection.openStream('bulk', {});
    void stream?.write(Buffer.alloc(100_000));
    await Promise.resolve();
    const before = sent.length;
    connection.send('commands', 'stop', null);
    await Promise.resolve();
    expect(sent).toHaveLength(before);
    events.onDrain();
    expect(sent[before]).toMatchObject({ linkClass: 'commands' });
  });

  test('messages that come before their handler wait for it', () => {
    const { connection, receive } = open();
    receive(message(1, 'one'), message(2, 'two'));
    const types: string[] = [];
    connection.onMessage(({ type }) => void types.push(type));
    receive(message(3, 'three'));
    expect(types).toEqual(['one', 'two', 'three']);
  });

  test('a handler that throws or rejects is logged and breaks nothing', async () => {
    const { connection, receive, errors, ends } = open();
    connection.onMessage(({ type }) => {
      if (type === 'throw') throw new Error('thrown');
      return Promise.reject(new Error('rejected'));
    });
    receive(message(1, 'throw'), message(2, 'reject'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toEqual(['thrown', 'rejected']);
    expect(ends).toEqual([]);
  });

  test('a transport that cannot send the goodbye does not keep the link', async () => {
    const { clock, connection, calls, ends, setRoom } = open();
    setRoom(false);
    connection.send('status', 'fills', null);
    await Promise.resolve();
    connection.send('status', 'waits', null);
    const said = connection.bye('leaving', 0);
    await clock.advance(1_900);
    expect(ends).toEqual([]);
    await clock.advance(200);
    expect(calls).toMatchObject({ close: 0, destroy: 1 });
    expect(await said).toMatchObject({ kind: 'bye', by: 'us' });
  });

  test('what waits when the link ends is reported as dropped', async () => {
    const { connection, events, setRoom } = open();
    setRoom(false);
    connection.send('status', 'fills', null);
    await Promise.resolve();
    const dropped = new Promise((resolve) => connection.send('status', 't', 1, { onDropped: resolve }));
    const drained = connection.drained('status');
    events.onClosed('gone');
    expect(await dropped).toBe('closed');
    await drained;
    expect(await connection.closed).toEqual({ kind: 'reset', message: 'gone' });
    expect(connection.send('status', 't', 2)).toBe(false);
    expect(connection.openStream('bulk', {})).toBeUndefined();
  });
});
