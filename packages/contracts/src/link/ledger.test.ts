import { describe, expect, test } from 'vitest';
import { createLinkLedger } from './ledger.ts';

describe('ledger', () => {
  test('counts each class by itself', () => {
    const ledger = createLinkLedger();
    expect([ledger.next('commands'), ledger.next('commands'), ledger.next('status')]).toEqual([1, 2, 1]);
  });

  test('drops what came before and tells of what is missing', () => {
    const ledger = createLinkLedger();
    expect(ledger.admit('status', 'a', 5)).toBe('new');
    expect(ledger.admit('status', 'a', 5)).toBe('duplicate');
    expect(ledger.admit('status', 'a', 4)).toBe('duplicate');
    expect(ledger.admit('status', 'a', 6)).toBe('new');
    expect(ledger.admit('status', 'a', 9)).toEqual({ linkClass: 'status', lastSequence: 6, nextSequence: 9 });
    expect(ledger.admit('reports', 'a', 3)).toBe('new');
    expect(ledger.received()).toEqual({
      incarnation: 'a',
      sequences: { commands: 0, status: 9, reports: 3, bulk: 0 },
    });
  });

  test('a new incarnation starts from nothing', () => {
    const ledger = createLinkLedger();
    ledger.admit('status', 'a', 9);
    expect(ledger.admit('status', 'b', 1)).toBe('new');
    expect(ledger.received()?.incarnation).toBe('b');
  });

  test('a restarted sender continues where the peer is, so that nothing counts as a repetition', () => {
    const sender = createLinkLedger();
    const peerHas = { incarnation: 'a', sequences: { commands: 0, status: 7, reports: 0, bulk: 0 } };
    expect(sender.reconcile('a', peerHas)).toMatchObject({ status: 0 });
    expect(sender.next('status')).toBe(8);
  });

  test('tells how many messages were lost with the last link', () => {
    const sender = createLinkLedger();
    for (let i = 0; i < 5; i++) sender.next('status');
    const peerHas = { incarnation: 'a', sequences: { commands: 0, status: 3, reports: 0, bulk: 0 } };
    expect(sender.reconcile('other', peerHas)).toMatchObject({ status: 0 });
    expect(sender.reconcile('a', peerHas)).toMatchObject({ status: 2, commands: 0 });
    expect(sender.next('status')).toBe(6);
  });
});
