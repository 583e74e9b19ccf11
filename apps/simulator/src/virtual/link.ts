import type { Greeting, TierCommand, TierReport } from '@oakestra/contracts';
import type { DownReason } from '@oakestra/ownership';
import type { SeededRandom } from './random.ts';
import type { VirtualTime } from './time.ts';

/** The end that opens the connection: a cluster towards the root, a worker towards its cluster. */
export interface LowerEnd {
  readonly id: string;
  /** Is there a process that answers? */
  isResponsive(): boolean;
  greeting(): Greeting;
  up(): void;
  down(): void;
  command(command: TierCommand): void;
  contact(sentAtMs: number): void;
}

export interface UpperEnd {
  isResponsive(): boolean;
  up(lowerId: string, greeting: Greeting): void;
  down(lowerId: string, reason: DownReason): void;
  /** A sign of life arrived; `answer` it when it was seen. */
  heard(lowerId: string, answer: () => void): void;
  report(lowerId: string, report: TierReport): void;
}

export interface LinkFaults {
  /** Chance that a message vanishes although the connection stays. */
  readonly loss: number;
  readonly duplication: number;
  readonly maxLatencyMs: number;
  /** What is said during a cut arrives after it, when the session outlives it. */
  readonly keepsDuringCut: boolean;
}

/** Two ends and a faulty network between them. Both notice silence after some seconds, a reset at once. */
export interface VirtualLink {
  readonly lower: LowerEnd;
  isCut(): boolean;
  isUp(): boolean;
  cut(): void;
  heal(): void;
  sendDown(command: TierCommand): void;
  sendUp(report: TierReport): void;
  /** The process of the lower end died; with a grace: it said that it will be back. */
  lowerDied(announcedGraceMs?: number): void;
  /** The process of the upper end died, or ended all sessions. */
  upperDied(): void;
  /** No message is lost or late from now on. */
  calm(): void;
}

export interface LinkOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly lower: LowerEnd;
  readonly upper: UpperEnd;
  readonly faults: LinkFaults;
  readonly onMessage: (message: TierCommand | TierReport) => void;
}

/** How long either end waits for the other before it takes the session for dead. */
const SILENCE_MS = 3000;
const RECONNECT_MS = 250;
const PING_MS = 1000;

export function createVirtualLink(options: LinkOptions): VirtualLink {
  const { time, random, lower, upper } = options;
  let { faults } = options;
  let isCut = false;
  let cutSinceMs = 0;
  /** The session that each end believes in, 0: none. Messages of another one are ignored. */
  let sessions = 0;
  let lowerSession = 0;
  let upperSession = 0;
  let isDialling = false;
  let lowerHeardMs = 0;
  const held: (() => void)[] = [];
  let commandAtMs = 0;

  const deliverAt = (atMs: number, deliver: () => void): void => {
    time.after(atMs - time.nowMs(), () => {
      if (!isCut) deliver();
      else if (faults.keepsDuringCut) held.push(deliver);
    });
  };

  const send = (atMs: () => number, deliver: () => void): void => {
    if (isCut) {
      if (faults.keepsDuringCut) held.push(deliver);
      return;
    }
    if (random.chance(faults.loss)) return;
    deliverAt(atMs(), deliver);
    if (random.chance(faults.duplication)) deliverAt(atMs(), deliver);
  };

  const anyTime = (): number => time.nowMs() + 1 + random.below(faults.maxLatencyMs);
  const inOrder = (): number => {
    commandAtMs = Math.max(commandAtMs, anyTime());
    return commandAtMs;
  };

  const carry = (deliver: () => void): void => send(anyTime, deliver);
  /** Commands stay in order, as every transport keeps them within a session; the rest may overtake. */
  const carryInOrder = (deliver: () => void): void => send(inOrder, deliver);

  const endUpper = (reason: DownReason): void => {
    if (upperSession === 0) return;
    upperSession = 0;
    upper.down(lower.id, reason);
  };

  const endLower = (): void => {
    if (lowerSession === 0) return;
    lowerSession = 0;
    lower.down();
    dial();
  };

  const dial = (): void => {
    if (isDialling) return;
    isDialling = true;
    time.after(RECONNECT_MS + random.below(RECONNECT_MS), () => {
      isDialling = false;
      if (lowerSession !== 0) return;
      if (isCut || !lower.isResponsive() || !upper.isResponsive()) dial();
      else connect();
    });
  };

  const connect = (): void => {
    endUpper({ kind: 'reset' });
    sessions += 1;
    upperSession = sessions;
    lowerSession = sessions;
    lowerHeardMs = time.nowMs();
    upper.up(lower.id, lower.greeting());
    lower.up();
    ping(sessions);
  };

  const ping = (mine: number): void => {
    if (lowerSession !== mine) return;
    // The other end knows nothing of this session, or has not answered for too long.
    const isReset = upperSession !== mine && !isCut;
    if (isReset || time.nowMs() - lowerHeardMs > SILENCE_MS + PING_MS) {
      endLower();
      return;
    }
    const sentAtMs = time.nowMs();
    carry(() => {
      if (upperSession === mine) upper.heard(lower.id, () => answer(mine, sentAtMs));
    });
    time.after(PING_MS, () => ping(mine));
  };

  const answer = (mine: number, sentAtMs: number): void =>
    carry(() => {
      if (lowerSession !== mine) return;
      lowerHeardMs = time.nowMs();
      lower.contact(sentAtMs);
    });

  dial();

  return {
    lower,
    isCut: () => isCut,
    isUp: () => lowerSession !== 0 && lowerSession === upperSession,
    cut() {
      if (isCut) return;
      isCut = true;
      cutSinceMs = time.nowMs();
      const since = cutSinceMs;
      const mine = [lowerSession, upperSession];
      const isStillCut = () => isCut && cutSinceMs === since;
      time.after(SILENCE_MS + random.below(500), () => {
        if (isStillCut() && upperSession === mine[1]) endUpper({ kind: 'silent' });
      });
      time.after(SILENCE_MS + random.below(500), () => {
        if (isStillCut() && lowerSession === mine[0]) endLower();
      });
    },
    heal() {
      isCut = false;
      for (const deliver of held.splice(0)) carryInOrder(deliver);
    },
    sendDown(command) {
      const mine = upperSession;
      if (mine === 0) return;
      options.onMessage(command);
      const copy = structuredClone(command);
      carryInOrder(() => {
        if (lowerSession === mine) lower.command(copy);
      });
    },
    sendUp(report) {
      const mine = lowerSession;
      if (mine === 0) return;
      options.onMessage(report);
      const copy = structuredClone(report);
      carry(() => {
        if (upperSession === mine) upper.report(lower.id, copy);
      });
    },
    lowerDied(announcedGraceMs) {
      lowerSession = 0;
      dial();
      const mine = upperSession;
      const reason: DownReason = isCut
        ? { kind: 'silent' }
        : announcedGraceMs === undefined
          ? { kind: 'reset' }
          : { kind: 'restarting', graceMs: announcedGraceMs };
      time.after(isCut ? SILENCE_MS : 5 + random.below(20), () => {
        if (upperSession === mine) endUpper(reason);
      });
    },
    upperDied() {
      upperSession = 0;
      const mine = lowerSession;
      time.after(isCut ? SILENCE_MS : 5 + random.below(20), () => {
        if (lowerSession === mine) endLower();
      });
    },
    calm() {
      faults = { ...faults, loss: 0, duplication: 0, maxLatencyMs: 10 };
    },
  };
}
