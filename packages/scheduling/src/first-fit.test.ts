import type { MemberFacts, ServiceDocument } from '@oakestra/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, type FitWords, firstFit } from './first-fit.ts';

const WORDS: FitWords = {
  member: 'worker',
  nobodyThere: 'NO_QUALIFIED_WORKER_FOUND',
  noCapacity: 'NO_WORKER_CAPACITY',
};

function document(extra: Partial<ServiceDocument> = {}): ServiceDocument {
  return {
    microserviceID: 'a',
    applicationID: 'b',
    job_name: 'a.b.c.d',
    app_name: 'a',
    app_ns: 'b',
    service_name: 'c',
    service_ns: 'd',
    virtualization: 'docker',
    image: 'i',
    code: 'i',
    ...extra,
  };
}

function candidate(id: string, facts: Partial<MemberFacts> = {}, reservedMemoryMib = 0): Candidate {
  return {
    id,
    reservedMemoryMib,
    facts: {
      type: 'facts',
      vcpus: 2,
      memoryTotalMib: 1000,
      memoryAvailableMib: 900,
      cpuPercent: 1,
      memoryPercent: 1,
      activeWorkers: 1,
      virtualization: ['docker'],
      architectures: ['amd64'],
      largestWorkerMemoryMib: 1000,
      largestWorkerVcpus: 2,
      ...facts,
    },
  };
}

describe('firstFit', () => {
  it('takes the first candidate that fits', () => {
    const candidates = [candidate('full', {}, 950), candidate('free'), candidate('also free')];
    expect(firstFit({ document: document({ memory: 100 }), candidates }, WORDS)).toMatchObject({
      member: 'free',
    });
  });

  it('says that nobody is there', () => {
    expect(firstFit({ document: document(), candidates: [] }, WORDS)).toEqual({
      kind: 'none',
      status: 'NO_QUALIFIED_WORKER_FOUND',
      detail: 'No worker is connected',
      rejections: [],
    });
  });

  it('says why nobody fits, and how often', () => {
    const candidates = [
      candidate('a', {}, 950),
      candidate('b', {}, 950),
      candidate('c', { virtualization: [] }),
    ];
    const decision = firstFit({ document: document({ memory: 100 }), candidates }, WORDS);
    expect(decision).toMatchObject({ status: 'NO_WORKER_CAPACITY' });
    expect(decision).toHaveProperty('detail', expect.stringContaining('50 are not promised yet (2 times)'));
    expect(decision).toHaveProperty('detail', expect.stringContaining('(none) is "docker"'));
    expect(decision).toHaveProperty('rejections', [
      expect.objectContaining({ member: 'a', code: 'memory', wanted: 100, available: 50 }),
      expect.objectContaining({ member: 'b', code: 'memory' }),
      expect.objectContaining({ member: 'c', code: 'runtime', wanted: 'docker', available: 'none' }),
    ]);
  });

  it('refuses more memory or cores than the largest worker has', () => {
    const candidates = [candidate('a')];
    for (const wanted of [{ memory: 1001 }, { vcpus: 3 }]) {
      expect(firstFit({ document: document(wanted), candidates }, WORDS).kind).toBe('none');
    }
    expect(firstFit({ document: document({ memory: 1000, vcpus: 2 }), candidates }, WORDS).kind).toBe(
      'chosen',
    );
  });

  it('never promises more memory than a member has', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 30 }), (sizes) => {
        const reserved = new Map([
          ['a', 0],
          ['b', 0],
        ]);
        for (const memory of sizes) {
          const candidates = [...reserved].map(([id, used]) => candidate(id, {}, used));
          const decision = firstFit({ document: document({ memory }), candidates }, WORDS);
          if (decision.kind === 'none') continue;
          reserved.set(decision.member, (reserved.get(decision.member) ?? 0) + memory);
        }
        for (const used of reserved.values()) expect(used).toBeLessThanOrEqual(1000);
      }),
    );
  });
});
