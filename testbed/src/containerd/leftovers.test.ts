import { describe, expect, it } from 'vitest';
import { snapshotNames } from './leftovers.ts';

describe('the table of snapshots', () => {
  const table = [
    'KEY            PARENT         KIND',
    'web            sha256:aaa     Active',
    'sha256:aaa                    Committed',
    'preparing                     Active',
    'view           sha256:aaa     View',
  ];

  it('gives what belongs to containers, whether it has a parent or not', () => {
    expect(snapshotNames(table, { withCommitted: false })).toEqual(['web', 'preparing', 'view']);
  });

  it('gives what images are unpacked into when asked', () => {
    expect(snapshotNames(table, { withCommitted: true })).toEqual(['web', 'sha256:aaa', 'preparing', 'view']);
    expect(snapshotNames(table.slice(0, 1), { withCommitted: true })).toEqual([]);
  });
});
