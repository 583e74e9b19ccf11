import type { ServiceDocument } from '@oakestra/contracts';
import { describe, expect, it } from 'vitest';
import { policyOf } from './policy.ts';

const policy = (fields: Record<string, unknown>) => policyOf(fields as unknown as ServiceDocument);

describe('the policy of a service', () => {
  it('is what the service says', () => {
    expect(policy({ on_disconnect: 'wait' }).onDisconnect).toEqual({ kind: 'wait' });
    expect(policy({ on_disconnect: 'stop-after 90' }).onDisconnect).toEqual({
      kind: 'stop-after',
      afterMs: 90_000,
    });
    expect(policy({ stop_grace_seconds: 0 }).stopGraceMs).toBe(0);
    expect(policy({ stop_grace_seconds: 2.5 }).stopGraceMs).toBe(2500);
    expect(policy({ one_shot: true, one_shot_delivery: 'at-most-once' })).toMatchObject({
      isOneShot: true,
      isAtMostOnce: true,
    });
  });

  it('is to replace, with a grace of 10 s, where the service says nothing, or nonsense', () => {
    for (const nonsense of [undefined, null, '1', 'stop-after', 'stop-after -1', -1, Number.NaN, {}]) {
      const read = policy({ on_disconnect: nonsense, stop_grace_seconds: nonsense, one_shot: nonsense });
      expect(read.onDisconnect).toEqual({ kind: 'replace' });
      expect(read.stopGraceMs).toBe(10_000);
      expect(read.isOneShot).toBe(false);
    }
  });

  it('knows at-most-once only of jobs that end', () => {
    expect(policy({ one_shot_delivery: 'at-most-once' }).isAtMostOnce).toBe(false);
  });
});
