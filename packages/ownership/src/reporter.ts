import {
  createPublisher,
  type InstanceReport,
  type Source,
  type SyncRequest,
  type TierReport,
} from '@oakestra/contracts';

export interface ReporterTiming {
  /** Changes that follow another within this time go together. */
  readonly togetherMs: number;
  /** Changes that nobody waits for are held back this long: often a better one follows at once. */
  readonly lazyMs: number;
  readonly digestMs: number;
}

export const DEFAULT_REPORTER_TIMING: ReporterTiming = { togetherMs: 100, lazyMs: 150, digestMs: 30_000 };

/** The upward half of a tier: publishes one row per instance to the tier above. */
export interface Reporter {
  set(key: string, report: InstanceReport, urgency: 'urgent' | 'lazy'): void;
  delete(key: string): void;
  get(key: string): InstanceReport | undefined;
  sessionUp(): void;
  sessionDown(): void;
  answer(request: SyncRequest): void;
  /** Offers a digest now: an order from above showed that its picture of us is wrong. */
  offerDigest(): void;
  tick(): void;
  nextDeadlineMs(): number | undefined;
  takeMessages(): readonly TierReport[];
}

export function createReporter(options: {
  readonly source: Source;
  readonly nowMs: () => number;
  readonly timing?: ReporterTiming;
}): Reporter {
  const { nowMs } = options;
  const timing = options.timing ?? DEFAULT_REPORTER_TIMING;
  const publisher = createPublisher<InstanceReport>(options.source);
  let messages: TierReport[] = [];
  let isUp = false;
  let lastFlushMs = Number.NEGATIVE_INFINITY;
  let flushAtMs: number | undefined;
  let digestAtMs: number | undefined;
  let lastDigestMs = Number.NEGATIVE_INFINITY;

  const flushBy = (atMs: number): void => {
    if (flushAtMs === undefined || atMs < flushAtMs) flushAtMs = atMs;
  };

  const flushIfDue = (): void => {
    if (!isUp || flushAtMs === undefined || nowMs() < flushAtMs) return;
    flushAtMs = undefined;
    const changes = publisher.takeChanges();
    if (changes === undefined) return;
    lastFlushMs = nowMs();
    messages.push(changes);
  };

  const flushNow = (): void => {
    flushAtMs = nowMs();
    flushIfDue();
  };

  const digestIfDue = (): void => {
    if (digestAtMs === undefined || nowMs() < digestAtMs) return;
    digestAtMs = nowMs() + timing.digestMs;
    lastDigestMs = nowMs();
    flushNow();
    messages.push(publisher.digest());
  };

  const changed = (urgency: 'urgent' | 'lazy'): void => {
    if (!isUp) return;
    const delayMs = urgency === 'lazy' ? timing.lazyMs : 0;
    flushBy(Math.max(nowMs() + delayMs, lastFlushMs + timing.togetherMs));
  };

  return {
    set(key, report, urgency) {
      if (publisher.set(key, report)) changed(urgency);
    },
    delete(key) {
      if (publisher.delete(key)) changed('lazy');
    },
    get: (key) => publisher.get(key),
    sessionUp() {
      isUp = true;
      flushAtMs = undefined;
      messages = [publisher.restart()];
      lastDigestMs = nowMs();
      digestAtMs = nowMs() + timing.digestMs;
    },
    sessionDown() {
      isUp = false;
      messages = [];
      flushAtMs = undefined;
      digestAtMs = undefined;
    },
    answer(request) {
      if (!isUp) return;
      // A digest counts what is pending: without it, it would only show a difference again.
      if (request.want === 'digest') flushNow();
      messages.push(publisher.answer(request));
    },
    offerDigest() {
      if (isUp)
        digestAtMs = Math.min(digestAtMs ?? nowMs(), Math.max(nowMs(), lastDigestMs + timing.togetherMs));
    },
    tick: digestIfDue,
    nextDeadlineMs() {
      if (flushAtMs === undefined) return digestAtMs;
      return digestAtMs === undefined ? flushAtMs : Math.min(flushAtMs, digestAtMs);
    },
    takeMessages() {
      digestIfDue();
      flushIfDue();
      const taken = messages;
      messages = [];
      return taken;
    },
  };
}
