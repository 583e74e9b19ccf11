import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { LinkClass } from './classes.ts';
import { type LinkConnection, openLink } from './connection.ts';
import { encodeFrame } from './frame.ts';
import { encodeHello, LINK_VERSION } from './hello.ts';
import { createLinkLedger, type LinkLedger } from './ledger.ts';
import type { LinkEnd } from './link-end.ts';
import type { LinkStream } from './link-stream.ts';
import type { LinkMessage } from './message.ts';
import type { LinkClock } from './ports.ts';
import { DEFAULT_LINK_SETTINGS, type LinkIdentity, type LinkSettings } from './session.ts';
import type { LinkTransport } from './transport.ts';

/** Two connected transports that a test may break. */
export interface TransportPair {
  readonly dialer: LinkTransport;
  readonly acceptor: LinkTransport;
  /** Breaks the connection without announcement. */
  cut(): void;
  /** Breaks it after about `bytes` more bytes went from the dialling to the accepting side. */
  cutAfter(bytes: number): void;
  /** Releases what the pair needed. */
  dispose(): Promise<void>;
}

interface Side {
  readonly connection: LinkConnection;
  readonly messages: LinkMessage[];
  /** The first `count` messages. */
  received(count: number): Promise<LinkMessage[]>;
}

interface OpenedLink {
  readonly pair: TransportPair;
  readonly dialer: Side;
  readonly acceptor: Side;
}

interface OpenSettings {
  readonly settings?: Partial<LinkSettings>;
  readonly ledgers?: { readonly dialer: LinkLedger; readonly acceptor: LinkLedger };
}

const identities: Record<'dialer' | 'acceptor', LinkIdentity> = {
  dialer: { role: 'cluster', name: 'edge', incarnation: 'c1', bootId: 'b1', capabilities: ['logs'] },
  acceptor: { role: 'root', name: 'root', incarnation: 'r1', bootId: 'b2', capabilities: [] },
};

const clock: LinkClock = {
  monotonicMs: () => performance.now(),
  setTimer(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

/** The suite that every transport of links has to pass (vitest). `createPair` makes a fresh connection. */
export function linkConformance(name: string, createPair: () => Promise<TransportPair>): void {
  describe(`link over ${name}`, () => {
    const cleanups: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });

    async function freshPair(): Promise<TransportPair> {
      const pair = await createPair();
      cleanups.push(() => pair.dispose());
      return pair;
    }

    async function openPair({ settings, ledgers }: OpenSettings = {}): Promise<OpenedLink> {
      const pair = await freshPair();
      const [dialer, acceptor] = await Promise.all([
        openSide('dialer', pair.dialer, settings, ledgers?.dialer),
        openSide('acceptor', pair.acceptor, settings, ledgers?.acceptor),
      ]);
      return { pair, dialer, acceptor };
    }

    test('introduces both sides', async () => {
      const { dialer, acceptor } = await openPair();
      expect(dialer.connection.peer).toMatchObject({ ...identities.acceptor, version: LINK_VERSION });
      expect(acceptor.connection.peer).toMatchObject({ ...identities.dialer, capabilities: ['logs'] });
    });

    test('keeps the order within a class, loses and repeats nothing', async () => {
      const { dialer, acceptor } = await openPair();
      const classes: LinkClass[] = ['commands', 'status', 'reports', 'bulk'];
      const filler = 'x'.repeat(700);
      for (let i = 0; i < 2_000; i++) {
        dialer.connection.send(classes[i % 4] ?? 'bulk', 'count', { i, filler });
        if (i % 3 === 0) acceptor.connection.send('commands', 'back', { i });
      }
      const arrived = await acceptor.received(2_000);
      await dialer.received(667);
      for (const [index, linkClass] of classes.entries()) {
        const ofClass = arrived.filter((message) => message.linkClass === linkClass);
        expect(ofClass.map((message) => (message.body as { i: number }).i)).toEqual(
          Array.from({ length: 500 }, (_, n) => n * 4 + index),
        );
        expect(ofClass.map((message) => message.sequence)).toEqual(
          Array.from({ length: 500 }, (_, n) => n + 1),
        );
      }
      expect(arrived.every((message) => message.incarnation === 'c1')).toBe(true);
    });

    test('carries messages larger than a frame, and refuses those larger than the limit', async () => {
      const { dialer, acceptor } = await openPair();
      const text = 'ä'.repeat(700_000);
      dialer.connection.send('reports', 'large', { text }, { epoch: { root: 3, cluster: 4 } });
      const [message] = await acceptor.received(1);
      expect((message?.body as { text: string } | undefined)?.text === text).toBe(true);
      expect(message?.epoch).toEqual({ root: 3, cluster: 4 });
      const tooLarge = 'x'.repeat(DEFAULT_LINK_SETTINGS.limits.messageBytes);
      expect(() => dialer.connection.send('reports', 'huge', tooLarge)).toThrow(
        /huge has \d+ bytes, the peer takes/,
      );
    });

    test('a slow reader of bulk never delays commands, and bounds what is kept', async () => {
      const { dialer, acceptor } = await openPair();
      const accepted = nextStream(acceptor.connection);
      const stream = dialer.connection.openStream('bulk', { file: 'image' });
      const chunk = Buffer.alloc(32 * 1024, 7);
      const total = 256;
      let written = 0;
      const writing = (async () => {
        for (; written < total; written++) await stream?.write(chunk);
        stream?.end();
      })();
      const reading = await accepted;
      for (let i = 1; i <= 50; i++) {
        dialer.connection.send('commands', 'go', { i });
        await acceptor.received(i);
        // The writer gets every chance to run ahead.
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { streamWindowBytes } = DEFAULT_LINK_SETTINGS.limits;
      expect(written * chunk.length).toBeLessThan(streamWindowBytes + 256 * 1024);
      reading.end();
      let bytes = 0;
      for await (const piece of reading) bytes += piece.length;
      await writing;
      expect(bytes).toBe(total * chunk.length);
      expect((await stream?.closed)?.kind).toBe('finished');
    });

    test('carries streams in both directions unchanged', async () => {
      const { dialer, acceptor } = await openPair();
      const accepted = nextStream(acceptor.connection);
      const stream = dialer.connection.openStream('bulk', { exec: 'cat' });
      const echo = await accepted;
      expect(echo.metadata).toEqual({ exec: 'cat' });
      const echoing = (async () => {
        for await (const piece of echo) await echo.write(piece);
        echo.end();
      })();
      const sent = createHash('sha256');
      const writing = (async () => {
        for (let i = 0; i < 60; i++) {
          const piece = Buffer.alloc(1 + ((i * 7_919) % 50_000), i);
          sent.update(piece);
          await stream?.write(piece);
        }
        stream?.end();
      })();
      const back = createHash('sha256');
      if (stream !== undefined) for await (const piece of stream) back.update(piece);
      await Promise.all([writing, echoing]);
      expect(back.digest('hex')).toBe(sent.digest('hex'));
    });

    test('a handler that does not finish holds back its class and no other', async () => {
      const { dialer, acceptor } = await openPair();
      let release: () => void = () => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      let reports = 0;
      const commanded = new Promise<void>((resolve) => {
        acceptor.connection.onMessage((message) => {
          if (message.linkClass === 'commands') resolve();
          if (message.linkClass !== 'reports') return undefined;
          reports += 1;
          return gate;
        });
      });
      const body = 'x'.repeat(64 * 1024);
      for (let i = 0; i < 60; i++) dialer.connection.send('reports', 'page', body);
      dialer.connection.send('commands', 'now', null);
      await commanded;
      expect(dialer.connection.queuedBytes('reports')).toBeGreaterThan(1024 * 1024);
      release();
      await dialer.connection.drained('reports');
      const done = dialer.received(1);
      acceptor.connection.send('commands', 'sync', null);
      await done;
      expect(reports).toBeGreaterThan(40);
    });

    test('drops a message whose deadline has passed, and leaves no gap', async () => {
      const { dialer, acceptor } = await openPair();
      const gaps: unknown[] = [];
      acceptor.connection.onGap((gap) => gaps.push(gap));
      const dropped = new Promise((resolve) => {
        dialer.connection.send('status', 'late', 1, { deadlineMs: 0, onDropped: resolve });
      });
      dialer.connection.send('status', 'in-time', 2, { deadlineMs: 60_000 });
      expect(await dropped).toBe('expired');
      const [message] = await acceptor.received(1);
      expect(message).toMatchObject({ type: 'in-time', sequence: 1 });
      const leftMs = (message?.expiresAtMs ?? 0) - performance.now();
      expect(leftMs).toBeGreaterThan(50_000);
      expect(leftMs).toBeLessThanOrEqual(60_000);
      expect(gaps).toEqual([]);
    });

    test('a stream that one side cuts ends at the other, and the link goes on', async () => {
      const { dialer, acceptor } = await openPair();
      const accepted = nextStream(acceptor.connection);
      const stream = dialer.connection.openStream('bulk', {});
      const other = await accepted;
      stream?.reset('cancelled', 'enough');
      await expect(drain(other)).rejects.toThrow(/the peer cut it: enough/);
      expect(await other.closed).toMatchObject({ kind: 'reset', by: 'peer', code: 'cancelled' });
      acceptor.connection.send('commands', 'still-there', null);
      expect((await dialer.received(1))[0]?.type).toBe('still-there');
    });

    test('streams that nobody serves are refused', async () => {
      const { dialer } = await openPair();
      const stream = dialer.connection.openStream('bulk', {});
      expect(await stream?.closed).toMatchObject({ kind: 'reset', by: 'peer', code: 'refused' });
    });

    test('says goodbye after what was sent before', async () => {
      const { dialer, acceptor } = await openPair();
      for (let i = 0; i < 200; i++) dialer.connection.send('status', 'last', 'x'.repeat(5_000));
      const ours = await dialer.connection.bye('restarting', 30_000);
      expect(ours).toEqual({ kind: 'bye', by: 'us', reason: 'restarting', graceMs: 30_000 });
      const theirs = await acceptor.connection.closed;
      expect(theirs).toEqual({ kind: 'bye', by: 'peer', reason: 'restarting', graceMs: 30_000 });
      expect(acceptor.messages).toHaveLength(200);
      expect(dialer.connection.send('commands', 'too-late', null)).toBe(false);
    });

    test('the accepting side says goodbye too', async () => {
      const { dialer, acceptor } = await openPair();
      await acceptor.connection.bye('leaving', 0);
      expect(await dialer.connection.closed).toMatchObject({ kind: 'bye', by: 'peer', reason: 'leaving' });
    });

    test('a close without goodbye is a reset for the peer', async () => {
      const { dialer, acceptor } = await openPair();
      acceptor.connection.close();
      expect((await acceptor.connection.closed).kind).toBe('closed');
      expect((await dialer.connection.closed).kind).toBe('reset');
    });

    test('a cut within a message loses it whole; the next link tells both sides', async () => {
      const ledgers = { dialer: createLinkLedger(), acceptor: createLinkLedger() };
      const first = await openPair({ ledgers });
      const stream = first.dialer.connection.openStream('bulk', {});
      first.dialer.connection.send('reports', 'whole', 1);
      await first.acceptor.received(1);
      first.pair.cutAfter(100_000);
      first.dialer.connection.send('reports', 'cut', 'x'.repeat(300_000));
      expect((await first.acceptor.connection.closed).kind).toBe('reset');
      expect((await first.dialer.connection.closed).kind).toBe('reset');
      expect((await stream?.closed)?.kind).not.toBe('finished');
      expect(first.acceptor.messages).toHaveLength(1);

      const second = await openPair({ ledgers });
      expect(second.dialer.connection.missed.reports).toBe(1);
      const gaps: unknown[] = [];
      second.acceptor.connection.onGap((gap) => gaps.push(gap));
      second.dialer.connection.send('reports', 'after', 3);
      expect((await second.acceptor.received(1))[0]).toMatchObject({ type: 'after', sequence: 3 });
      expect(gaps).toEqual([{ linkClass: 'reports', lastSequence: 1, nextSequence: 3 }]);
    });

    test('a cut ends both sides at once', async () => {
      const { pair, dialer, acceptor } = await openPair();
      pair.cut();
      expect((await dialer.connection.closed).kind).toBe('reset');
      expect((await acceptor.connection.closed).kind).toBe('reset');
    });

    test('malformed bytes end the link and name what is wrong on both sides', async () => {
      const pair = await freshPair();
      const raw = rawSide(pair.dialer);
      const acceptor = await greetedBy(raw, 'acceptor', pair.acceptor);
      raw.send(Buffer.from([99, 1, 0]));
      const end = await acceptor.connection.closed;
      expect(end).toMatchObject({ kind: 'error', by: 'us', code: 'link-malformed' });
      expect((end as { message: string }).message).toMatch(/unknown frame kind 99/);
      await raw.closed;
      expect(Buffer.concat(raw.bytes).toString('latin1')).toContain('unknown frame kind 99');
    });

    test('something that is no link is told apart at once', async () => {
      const pair = await freshPair();
      const raw = rawSide(pair.dialer);
      const ended = endOf('acceptor', pair.acceptor);
      raw.send(encodeFrame({ kind: 'credit', stream: 1, bytes: 1 }));
      expect(await ended).toMatchObject({ kind: 'error', code: 'link-malformed' });
      await raw.closed;
    });

    test('a silent peer is found out', async () => {
      const pair = await freshPair();
      const raw = rawSide(pair.dialer);
      const settings = { idleMs: 30, silenceMs: 120 };
      const acceptor = await greetedBy(raw, 'acceptor', pair.acceptor, settings);
      const end = await acceptor.connection.closed;
      expect(end.kind).toBe('silent');
      expect((end as { silentMs: number }).silentMs).toBeGreaterThanOrEqual(120);
      const ping = Buffer.from(encodeFrame({ kind: 'ping', nonce: 1 }));
      expect(Buffer.concat(raw.bytes).includes(ping)).toBe(true);
    });

    test('a quiet link whose peer answers stays open', async () => {
      const { dialer, acceptor } = await openPair({ settings: { idleMs: 20, silenceMs: 600 } });
      let ended = false;
      void dialer.connection.closed.then(() => {
        ended = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(ended).toBe(false);
      acceptor.connection.send('commands', 'hello', null);
      expect((await dialer.received(1))[0]?.type).toBe('hello');
    });
  });
}

function openSide(
  side: 'dialer' | 'acceptor',
  transport: LinkTransport,
  settings: Partial<LinkSettings> = {},
  ledger = createLinkLedger(),
): Promise<Side> {
  return new Promise((resolve, reject) => {
    const merged = { ...DEFAULT_LINK_SETTINGS, ...settings };
    const messages: LinkMessage[] = [];
    const waiters: (() => void)[] = [];
    const received = async (count: number): Promise<LinkMessage[]> => {
      while (messages.length < count) await new Promise<void>((wake) => waiters.push(wake));
      return messages.slice(0, count);
    };
    openLink({
      transport,
      side,
      identity: identities[side],
      settings: merged,
      ledger,
      clock,
      onUp(connection) {
        connection.onMessage((message) => {
          messages.push(message);
          for (const wake of waiters.splice(0)) wake();
        });
        resolve({ connection, messages, received });
      },
      onDown: (end) => reject(new Error(`the link did not open: ${JSON.stringify(end)}`)),
    });
  });
}

/** How a link ends that never opens. */
function endOf(side: 'dialer' | 'acceptor', transport: LinkTransport): Promise<LinkEnd> {
  return new Promise((resolve) => {
    openLink({
      transport,
      side,
      identity: identities[side],
      settings: DEFAULT_LINK_SETTINGS,
      ledger: createLinkLedger(),
      clock,
      onUp: (connection) => connection.close(),
      onDown: resolve,
    });
  });
}

interface RawSide {
  readonly bytes: Uint8Array[];
  readonly closed: Promise<string>;
  send(bytes: Uint8Array): void;
}

/** A peer that sends what the test says and answers nothing. */
function rawSide(transport: LinkTransport): RawSide {
  const bytes: Uint8Array[] = [];
  const closed = new Promise<string>((resolve) => {
    const onBytes = (piece: Uint8Array): void => void bytes.push(piece);
    transport.start({ onBytes, onDrain() {}, onClosed: resolve });
  });
  return { bytes, closed, send: (piece) => void transport.send(piece) };
}

function greetedBy(
  raw: RawSide,
  side: 'dialer' | 'acceptor',
  transport: LinkTransport,
  settings: Partial<LinkSettings> = {},
): Promise<Side> {
  const { limits } = DEFAULT_LINK_SETTINGS;
  const hello = encodeHello({ version: LINK_VERSION, ...identities.dialer, limits });
  raw.send(encodeFrame({ kind: 'hello', json: hello }));
  return openSide(side, transport, settings);
}

function nextStream(connection: LinkConnection): Promise<LinkStream> {
  return new Promise((resolve) => connection.onStream(resolve));
}

async function drain(stream: LinkStream): Promise<void> {
  for await (const piece of stream) expect(piece.length).toBeGreaterThan(0);
}
