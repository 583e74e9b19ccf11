import { LINK_CLASSES, type LinkClass, perClass } from './classes.ts';
import { type DataFrame, MAX_DATA_BYTES } from './frame.ts';
import type { SendSource } from './send-source.ts';

/**
 * Bytes of more urgent classes that may overtake a class before it gets one frame through: about 6 % of a busy link
 * for each class that would starve otherwise.
 */
const OVERTAKE_BYTES = 256 * 1024;

/** One stream in its sending direction. */
export interface Lane {
  readonly id: number;
  readonly linkClass: LinkClass;
  readonly source: SendSource;
  /** Metadata that opens the stream; absent for the implicit streams of messages. */
  readonly metadata?: Uint8Array;
  /** Bytes that the peer has room for. */
  readonly creditBytes: number;
}

/** Chooses which stream sends next: strictly by class, in turn within a class. */
export interface Outbox {
  add(lane: Lane): void;
  remove(id: number): void;
  /** To be called after the source of a lane got something. */
  wake(id: number): void;
  /** The peer has room for more. `false` when there is no such lane. */
  grant(id: number, bytes: number): boolean;
  next(nowMs: number): DataFrame | undefined;
}

interface LaneState {
  readonly lane: Lane;
  metadata: Uint8Array | undefined;
  credit: number;
  isReady: boolean;
}

export function createOutbox(): Outbox {
  const lanes = new Map<number, LaneState>();
  const ready = perClass<LaneState[]>(() => []);
  const overtaken = perClass(() => 0);

  function canSend(state: LaneState): boolean {
    if (state.metadata !== undefined) return true;
    const pending = state.lane.source.pending();
    return pending === 'end-mark' || (pending === 'needs-credit' && state.credit > 0);
  }

  function refresh(state: LaneState): void {
    if (state.isReady || !canSend(state)) return;
    state.isReady = true;
    ready[state.lane.linkClass].push(state);
  }

  /** The most urgent class with something to send, or one that was overtaken for long enough. */
  function chooseClass(): LinkClass | undefined {
    let first: LinkClass | undefined;
    for (const linkClass of LINK_CLASSES) {
      if (ready[linkClass].length === 0) continue;
      if (first === undefined) first = linkClass;
      else if (overtaken[linkClass] >= OVERTAKE_BYTES) return linkClass;
    }
    return first;
  }

  function account(linkClass: LinkClass, bytes: number): void {
    overtaken[linkClass] = 0;
    for (const other of LINK_CLASSES.slice(LINK_CLASSES.indexOf(linkClass) + 1)) {
      if (ready[other].length > 0) overtaken[other] += bytes;
    }
  }

  function frameOf(state: LaneState, nowMs: number): DataFrame | undefined {
    const { id: stream, linkClass, source } = state.lane;
    if (state.metadata !== undefined) {
      const payload = state.metadata;
      state.metadata = undefined;
      return { kind: 'data', stream, linkClass, isOpen: true, isEnd: false, payload };
    }
    const taken = source.take(Math.min(MAX_DATA_BYTES, Math.max(state.credit, 1)), nowMs);
    if (taken === undefined) return undefined;
    state.credit -= taken.bytes.length;
    return { kind: 'data', stream, linkClass, isOpen: false, isEnd: taken.isEnd, payload: taken.bytes };
  }

  return {
    add(lane) {
      const state: LaneState = { lane, metadata: lane.metadata, credit: lane.creditBytes, isReady: false };
      lanes.set(lane.id, state);
      refresh(state);
    },
    remove(id) {
      const state = lanes.get(id);
      if (state === undefined) return;
      lanes.delete(id);
      const queue = ready[state.lane.linkClass];
      if (state.isReady) queue.splice(queue.indexOf(state), 1);
    },
    wake(id) {
      const state = lanes.get(id);
      if (state !== undefined) refresh(state);
    },
    grant(id, bytes) {
      const state = lanes.get(id);
      if (state === undefined) return false;
      state.credit += bytes;
      refresh(state);
      return true;
    },
    next(nowMs) {
      for (let linkClass = chooseClass(); linkClass !== undefined; linkClass = chooseClass()) {
        const state = ready[linkClass].shift();
        if (state === undefined) return undefined;
        state.isReady = false;
        const frame = frameOf(state, nowMs);
        refresh(state);
        if (frame === undefined) continue;
        account(linkClass, frame.payload.length);
        return frame;
      }
      return undefined;
    },
  };
}
