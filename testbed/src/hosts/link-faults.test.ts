import { describe, expect, it } from 'vitest';
import { isPair, linkFaultRules, NO_FAULTS, portOf } from './link-faults.ts';

describe('rules of the switch', () => {
  it('drop both directions of what is cut', () => {
    const text = linkFaultRules({
      isolatedPorts: ['h1'],
      blockedPairs: [['h2', 'uplink']],
      losses: { h3: 0.25 },
    });
    expect(text).toContain('iifname "h1" drop');
    expect(text).toContain('oifname "h1" drop');
    expect(text).toContain('iifname "h2" oifname "uplink" drop');
    expect(text).toContain('iifname "uplink" oifname "h2" drop');
    expect(text).toContain('iifname "h3" numgen random mod 10000 < 2500 drop');
    expect(text).toContain('oifname "h3" numgen random mod 10000 < 2500 drop');
  });

  it('are none without faults', () => {
    expect(linkFaultRules(NO_FAULTS)).not.toContain('drop');
  });

  it('know pairs in either order and the machine as an end', () => {
    expect(isPair(['h1', 'h2'], 'h2', 'h1')).toBe(true);
    expect(isPair(['h1', 'h2'], 'h1', 'h3')).toBe(false);
    expect(portOf('gateway')).toBe('uplink');
  });
});
