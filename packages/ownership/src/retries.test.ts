import { instanceKey, type MemberFacts, type ServiceDocument } from '@oakestra/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Arbiter, createArbiter } from './arbiter.ts';
import { DEFAULT_TIMING } from './timing.ts';

const KEY = instanceKey('a'.repeat(24), 0);
const DOCUMENT: ServiceDocument = {
  microserviceID: 'a'.repeat(24),
  applicationID: 'b'.repeat(24),
  job_name: 'shop.default.web.default',
  app_name: 'shop',
  app_ns: 'default',
  service_name: 'web',
  service_ns: 'default',
  virtualization: 'docker',
  image: 'nginx',
  code: 'nginx',
};
const EMPTY: MemberFacts = {
  type: 'facts',
  vcpus: 0,
  memoryTotalMib: 0,
  memoryAvailableMib: 0,
  cpuPercent: 0,
  memoryPercent: 0,
  activeWorkers: 0,
  virtualization: [],
  architectures: [],
  largestWorkerMemoryMib: 0,
  largestWorkerVcpus: 0,
};

let nowMs: number;
let triesMs: number[];
let arbiter: Arbiter;

beforeEach(() => {
  [nowMs, triesMs] = [0, []];
  arbiter = createArbiter({
    tier: 'root',
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    mintIncarnation: () => 'c'.repeat(32),
    stored: { incarnation: 'd'.repeat(32), counter: 1, records: [], members: [] },
    schedule() {
      triesMs.push(nowMs);
      return { kind: 'none', status: 'NoActiveClusterWithCapacity', detail: 'full' };
    },
  });
});

/** Lets time pass, tick by tick as the arbiter asks for it. */
function passUntil(untilMs: number): void {
  for (let next = arbiter.nextDeadlineMs(); next !== undefined && next <= untilMs; ) {
    nowMs = Math.max(nowMs, next);
    arbiter.tick();
    next = arbiter.nextDeadlineMs();
  }
  nowMs = untilMs;
}

function link(facts: MemberFacts): void {
  const source = { incarnation: 'e'.repeat(32), boot: 1 };
  arbiter.memberUp('one', { ...source, highestEpoch: { root: 0, cluster: 0 } });
  arbiter.memberFacts('one', facts);
}

describe('an instance that found no room', () => {
  it('is tried again and again, also when a member came between two tries', () => {
    arbiter.want({ key: KEY, document: DOCUMENT, ownerUserId: 'u' });
    expect(triesMs).toEqual([0]);
    nowMs = 300;
    link(EMPTY);
    passUntil(300);
    expect(triesMs).toEqual([0, 300]);
    passUntil(120_000);
    const pausesMs = triesMs.map((atMs, index) => atMs - (triesMs[index - 1] ?? 0));
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(DEFAULT_TIMING.scheduleRetryCapMs);
    expect(120_000 - (triesMs.at(-1) ?? 0)).toBeLessThanOrEqual(DEFAULT_TIMING.scheduleRetryCapMs);
  });

  it('is tried at once when a member offers more, not when it is only busier', () => {
    arbiter.want({ key: KEY, document: DOCUMENT, ownerUserId: 'u' });
    link(EMPTY);
    passUntil(100_000);
    const before = triesMs.length;
    arbiter.memberFacts('one', { ...EMPTY, cpuPercent: 50 });
    arbiter.tick();
    expect(triesMs).toHaveLength(before);
    arbiter.memberFacts('one', { ...EMPTY, activeWorkers: 1, vcpus: 2, virtualization: ['docker'] });
    arbiter.tick();
    expect(triesMs).toHaveLength(before + 1);
  });
});
