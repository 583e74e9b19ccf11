import * as z from 'zod';
import { messageOf, OakestraError } from '../errors.ts';
import { FIRST_STREAM, type LinkClass, type LinkSide } from './classes.ts';
import type { ControlQueue } from './control-queue.ts';
import { type DataFrame, decodeUtf8, MAX_DATA_BYTES, malformed } from './frame.ts';
import { createIntake, type Intake } from './intake.ts';
import type { LinkResetCode } from './link-end.ts';
import type { Outbox } from './outbox.ts';
import { type ByteSource, createByteSource } from './send-source.ts';

/** Streams that one side may have open at a time, so that a peer cannot make this side hold any amount. */
const MAX_STREAMS = 256;

const metadataSchema = z.record(z.string(), z.string());

/** What a stream is for, as text by name. */
export type StreamMetadata = Readonly<Record<string, string>>;

export interface StreamEvents {
  onStream(id: number, linkClass: LinkClass, metadata: StreamMetadata): void;
  /** Bytes that count against the window until `consumed` is called with their number. */
  onStreamData(id: number, bytes: Uint8Array): void;
  /** The peer will send no more on this stream. */
  onStreamEnd(id: number): void;
  /** The peer cut the stream short; both directions are over. */
  onStreamReset(id: number, code: number, reason: string): void;
  /** Some of what was written has left. */
  onStreamSent(id: number, queuedBytes: number): void;
}

/** The opened byte streams of a link. All calls with the number of a stream that is over do nothing. */
export interface StreamTable {
  /** The peer's window per stream is known: streams can be opened. */
  start(peerWindowBytes: number): void;
  open(linkClass: LinkClass, metadata: StreamMetadata): number;
  /** Queues bytes; returns how many wait in the stream, `undefined` when it is over. */
  write(id: number, bytes: Uint8Array): number | undefined;
  end(id: number): void;
  reset(id: number, code: LinkResetCode, reason: string): void;
  consumed(id: number, bytes: number): void;
  onData(frame: DataFrame): void;
  onCredit(id: number, bytes: number): void;
  onReset(id: number, code: number, reason: string): void;
  /** A frame of a stream was handed to the transport. */
  sent(frame: DataFrame): void;
}

export interface StreamTableOptions {
  readonly side: LinkSide;
  readonly windowBytes: number;
  readonly outbox: Outbox;
  readonly control: ControlQueue;
  readonly events: StreamEvents;
}

interface OpenStream {
  readonly linkClass: LinkClass;
  readonly source: ByteSource;
  readonly intake: Intake;
  hasSentEnd: boolean;
  hasGotEnd: boolean;
}

export function createStreamTable(options: StreamTableOptions): StreamTable {
  const { side, outbox, control, events } = options;
  const streams = new Map<number, OpenStream>();
  let nextOwnId: number = FIRST_STREAM[side];
  let nextPeerId: number = FIRST_STREAM[side === 'dialer' ? 'acceptor' : 'dialer'];
  let peerStreams = 0;
  let peerWindowBytes = 0;

  const isOwn = (id: number): boolean => id % 2 === nextOwnId % 2;

  /** The stream, or nothing when it is over already; throws when there never was one. */
  function known(id: number): OpenStream | undefined {
    const stream = streams.get(id);
    if (stream === undefined && id >= (isOwn(id) ? nextOwnId : nextPeerId)) {
      throw malformed(`stream ${id} was never opened`);
    }
    return stream;
  }

  function add(id: number, linkClass: LinkClass, metadata?: Uint8Array): OpenStream {
    const source = createByteSource();
    const intake = createIntake(options.windowBytes);
    const stream = { linkClass, source, intake, hasSentEnd: false, hasGotEnd: false };
    streams.set(id, stream);
    if (!isOwn(id)) peerStreams += 1;
    const opening = metadata === undefined ? {} : { metadata };
    outbox.add({ id, linkClass, source, creditBytes: peerWindowBytes, ...opening });
    return stream;
  }

  function remove(id: number): void {
    if (!streams.delete(id)) return;
    if (!isOwn(id)) peerStreams -= 1;
    outbox.remove(id);
  }

  function removeIfOver(id: number, stream: OpenStream): void {
    if (stream.hasSentEnd && stream.hasGotEnd) remove(id);
  }

  function accept(frame: DataFrame): void {
    const { stream: id, linkClass } = frame;
    if (isOwn(id) || id < nextPeerId) throw malformed(`the peer may not open stream ${id}`);
    nextPeerId = id + 2;
    const metadata = readMetadata(frame.payload);
    if (peerStreams >= MAX_STREAMS) {
      control.reset(id, 'limit', `${MAX_STREAMS} streams are open already: end one first`);
      return;
    }
    add(id, linkClass);
    events.onStream(id, linkClass, metadata);
  }

  return {
    start(windowBytes) {
      peerWindowBytes = windowBytes;
    },
    open(linkClass, metadata) {
      const payload = Buffer.from(JSON.stringify(metadataSchema.parse(metadata)), 'utf8');
      if (payload.length > MAX_DATA_BYTES) {
        const text = `the metadata of a stream has ${payload.length} bytes, at most ${MAX_DATA_BYTES} fit`;
        throw new OakestraError('invalid', 'link-stream-metadata', text);
      }
      const id = nextOwnId;
      nextOwnId += 2;
      add(id, linkClass, payload);
      return id;
    },
    write(id, bytes) {
      const stream = streams.get(id);
      if (stream === undefined) return undefined;
      stream.source.push(bytes);
      outbox.wake(id);
      return stream.source.queuedBytes();
    },
    end(id) {
      streams.get(id)?.source.end();
      outbox.wake(id);
    },
    reset(id, code, reason) {
      if (!streams.has(id)) return;
      remove(id);
      control.reset(id, code, reason);
    },
    consumed(id, bytes) {
      const stream = streams.get(id);
      if (stream === undefined) return;
      stream.intake.release(bytes);
      const due = stream.hasGotEnd ? 0 : stream.intake.creditDue();
      if (due > 0) control.credit(id, due);
    },
    onData(frame) {
      const { stream: id, payload } = frame;
      if (frame.isOpen) return accept(frame);
      const stream = known(id);
      if (stream === undefined) return;
      if (stream.hasGotEnd) throw malformed(`stream ${id} goes on after its end`);
      if (stream.linkClass !== frame.linkClass) throw malformed(`stream ${id} changes its class`);
      if (!stream.intake.arrived(payload.length))
        throw malformed(`more bytes on stream ${id} than there was credit for`);
      stream.hasGotEnd = frame.isEnd;
      if (payload.length > 0) {
        stream.intake.hold(payload.length);
        events.onStreamData(id, payload);
      }
      if (!frame.isEnd) return;
      events.onStreamEnd(id);
      removeIfOver(id, stream);
    },
    onCredit(id, bytes) {
      if (known(id) !== undefined) outbox.grant(id, bytes);
    },
    onReset(id, code, reason) {
      if (known(id) === undefined) return;
      remove(id);
      events.onStreamReset(id, code, reason);
    },
    sent(frame) {
      const stream = streams.get(frame.stream);
      if (stream === undefined) return;
      if (frame.isEnd) stream.hasSentEnd = true;
      events.onStreamSent(frame.stream, stream.source.queuedBytes());
      removeIfOver(frame.stream, stream);
    },
  };
}

function readMetadata(payload: Uint8Array): StreamMetadata {
  try {
    return metadataSchema.parse(JSON.parse(decodeUtf8(payload, 'metadata of a stream')));
  } catch (error) {
    throw error instanceof OakestraError
      ? error
      : malformed(`the metadata of a stream: ${messageOf(error)}`, error);
  }
}
