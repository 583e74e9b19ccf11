import type { Greeting, TierCommand, TierReport } from '@oakestra/contracts';
import type { DownReason } from '@oakestra/ownership';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** The end that opens the connection: a cluster towards the root, a worker towards its cluster. */
export interface LowerEnd {
  readonly id: string;
  isAlive(): boolean;
  greeting(): Greeting;
  up(): void;
  down(): void;
  command(command: TierCommand): void;
  contact(sentAtMs: number): void;
}

export interface UpperEnd {
  isAlive(): boolean;
  up(lowerId: string, greeting: Greeting): void;
  down(lowerId: string, reason: DownReason): void;
  heard(lowerId: string): void;
  report(lowerId: string, report: TierReport): void;
}

export interface LinkFaults {
  /** Chance that a message vanishes although the connection stays. */
  readonly loss: number;
  readonly duplication: number;
  readonly maxLatencyMs: number;
}

/** Two ends and a faulty network between them. Both notice silence after some seconds, a reset at once. */
export interface VirtualLink {
  readonly lower: LowerEnd;
  readonly isCut: boolean;
  cut(): void;
  heal(): void;
  sendDown(command: TierCommand): void;
  sendUp(report: TierReport): void;
  /** One of the ends died; `announced`: it said that it would. */
  lowerDied(announcedGraceMs?: number): void;
  upperDied(): void;
  calm(): void;
}

const SILENCE_MS = 3000;
const RECONNECT_MS = 250;
const PING_MS = 1000;

export function createVirtualLink(options: {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly lower: LowerEnd;
  readonly upper: () => UpperEnd;
  readonly faults: LinkFaults;
}): VirtualLink {
  const { time, random, lower, upper } = options;
  let faults = options.faults;
  let isCut = false;
  /** Both ends remember the session they believe in; messages of another one are ignored. */
  let sessions = 0;
  let lowerSession = 0;
  let upperSession = 0;
  let cutSinceMs = 0;

  const latencyMs = (): number => 1 + random.below(faults.maxLatencyMs);

  const carry = (isStillWanted: () => boolean, deliver: () => void): void => {
    if (isCut || random.chance(faults.loss)) return;
    const copies = random.chance(faults.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      time.after(latencyMs(), () => {
        if (!isCut && isStillWanted()) deliver();
      });
    }
  };

  const connect = (): void => {
    time.after(RECONNECT_MS + random.below(RECONNECT_MS), connect);
    if (isCut || !lower.isAlive() || !upper().isAlive()) return;
    if (lowerSession !== 0 && lowerSession === upperSession) return;
    if (lowerSession !== 0) lower.down();
    if (upperSession !== 0) upper().down(lower.id, { kind: 'reset' });
    sessions += 1;
    const mine = sessions;
    upperSession = mine;
    lowerSession = mine;
    upper().up(lower.id, lower.greeting());
    lower.up();
    const ping = (): void => {
      if (lowerSession !== mine || upperSession !== mine) return;
      const sentAtMs = time.nowMs();
      carry(
        () => upperSession === mine && upper().isAlive(),
        () => {
          upper().heard(lower.id);
          carry(
            () => lowerSession === mine && lower.isAlive(),
            () => lower.contact(sentAtMs),
          );
        },
      );
      time.after(PING_MS, ping);
    };
    ping();
  };
  time.after(random.below(RECONNECT_MS), connect);

  const endUpper = (reason: DownReason): void => {
    if (upperSession === 0) return;
    upperSession = 0;
    if (upper().isAlive()) upper().down(lower.id, reason);
  };
  const endLower = (): void => {
    if (lowerSession === 0) return;
    lowerSession = 0;
    if (lower.isAlive()) lower.down();
  };

  return {
    lower,
    get isCut() {
      return isCut;
    },
    cut() {
      if (isCut) return;
      isCut = true;
      cutSinceMs = time.nowMs();
      const since = cutSinceMs;
      const mine = [lowerSession, upperSession];
      time.after(SILENCE_MS + random.below(500), () => {
        if (!isCut || cutSinceMs !== since) return;
        if (upperSession === mine[1]) endUpper({ kind: 'silent' });
      });
      time.after(SILENCE_MS + random.below(500), () => {
        if (!isCut || cutSinceMs !== since) return;
        if (lowerSession === mine[0]) endLower();
      });
    },
    heal() {
      isCut = false;
    },
    sendDown(command) {
      const mine = upperSession;
      if (mine === 0) return;
      carry(
        () => lowerSession === mine && lower.isAlive(),
        () => lower.command(structuredClone(command)),
      );
    },
    sendUp(report) {
      const mine = lowerSession;
      if (mine === 0) return;
      carry(
        () => upperSession === mine && upper().isAlive(),
        () => upper().report(lower.id, structuredClone(report)),
      );
    },
    lowerDied(announcedGraceMs) {
      lowerSession = 0;
      const mine = upperSession;
      const isHeard = !isCut;
      const reason: DownReason = !isHeard
        ? { kind: 'silent' }
        : announcedGraceMs === undefined
          ? { kind: 'reset' }
          : { kind: 'restarting', graceMs: announcedGraceMs };
      time.after(isHeard ? 5 + random.below(20) : SILENCE_MS, () => {
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
