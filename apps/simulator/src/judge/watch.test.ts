import { createClusterCore } from '@oakestra/cluster';
import { createPump } from '@oakestra/ownership';
import { createWorkerCore } from '@oakestra/worker';
import { describe, expect, it } from 'vitest';
import type { Parts } from '../nodes/parts.ts';
import { runSeed } from '../random-run.ts';

/** Worlds that are tried until the defect shows. */
const MOST_SEEDS = 400;

/** What the first world says in which the broken part does harm. */
function firstFailure(parts: Partial<Parts>): string {
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    const { failures } = runSeed(seed, { parts });
    if (failures.length > 0) return failures.join('\n');
  }
  return `nothing in ${MOST_SEEDS} worlds`;
}

describe('the simulation finds', () => {
  it('a tier that speaks before it has written', () => {
    const hasty: Parts['createPump'] = (options) =>
      createPump({ ...options, durabilityOf: () => 'normal' as const });
    expect(firstFailure({ createPump: hasty })).not.toContain('nothing in');
  }, 60_000);

  it('a cluster that removes what it does not know', () => {
    const deleting: Parts['createClusterCore'] = (options) => {
      const core = createClusterCore(options);
      return {
        ...core,
        takeEffects() {
          const effects = core.takeEffects();
          const sends = effects.sends.map(({ member, message }) => ({
            member,
            message:
              message.type === 'describe'
                ? {
                    type: 'remove' as const,
                    key: message.key,
                    epoch: { root: Number.MAX_SAFE_INTEGER, cluster: 0 },
                    reason: 'tombstone' as const,
                  }
                : message,
          }));
          return { ...effects, sends };
        },
      };
    };
    expect(firstFailure({ createClusterCore: deleting })).toMatch(/nobody asked for it/);
  }, 60_000);

  it('a worker that does not fence itself', () => {
    const careless: Parts['createWorkerCore'] = (options) => {
      const core = createWorkerCore(options);
      // Always in contact, as far as it believes.
      return {
        ...core,
        tick() {
          core.contact(options.nowMs());
          core.tick();
        },
      };
    };
    expect(firstFailure({ createWorkerCore: careless })).toMatch(/runs 2 times although it says stop-after/);
  }, 60_000);

  it('a cluster that replaces before a worker had the time to fence itself', () => {
    const impatient: Parts['createClusterCore'] = (options) =>
      createClusterCore({ ...options, timing: { ...options.timing, fenceMarginMs: -20_000 } });
    expect(firstFailure({ createClusterCore: impatient })).toMatch(
      /runs 2 times although it says stop-after/,
    );
  }, 60_000);
});
