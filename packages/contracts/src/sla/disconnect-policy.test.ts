import { describe, expect, it } from 'vitest';
import { parseDisconnectPolicy } from './disconnect-policy.ts';

describe('the policy for a lost connection', () => {
  it('is to replace when nothing is said', () => {
    expect(parseDisconnectPolicy(undefined)).toEqual({ kind: 'replace' });
    expect(parseDisconnectPolicy('wait')).toEqual({ kind: 'wait' });
    expect(parseDisconnectPolicy('stop-after 90')).toEqual({ kind: 'stop-after', seconds: 90 });
  });

  it.each(['', 'stop-after', 'stop-after -1', 'stop-after 1.5', 'stop-after  3', 'REPLACE', 3, null])(
    'is not %j',
    (text) => {
      expect(parseDisconnectPolicy(text)).toBeUndefined();
    },
  );
});
