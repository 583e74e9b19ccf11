import { describe, expect, it } from 'vitest';
import { isOwnerAlive, ownerIdOf, ownerInName, ownOwnerId } from './owner.ts';

describe('owner ids', () => {
  it('know this process and no other that had its id', () => {
    const own = ownOwnerId();
    expect(isOwnerAlive(own)).toBe(true);
    const [pid, startTime] = own.split('-') as [string, string];
    expect(isOwnerAlive(`${pid}-${startTime === '000' ? '001' : '000'}`)).toBe(false);
    expect(ownerIdOf(4_194_305)).toBeUndefined();
  });

  it('are read from names, and only from ours', () => {
    expect(ownerInName('otb1a2-x9zn01', 'otb')).toBe('1a2-x9z');
    expect(ownerInName('otb-1a2-x9z-Abc', 'otb-')).toBe('1a2-x9z');
    for (const foreign of ['eth0', 'otb', 'otbX-y', 'veth-otb1a2-x9z']) {
      expect(ownerInName(foreign, 'otb')).toBeUndefined();
    }
  });
});
