import { OakestraError } from '@oakestra/contracts';
import { describe, expect, it } from 'vitest';
import { type AddressRequest, planAllocation, planRelease, planUndo } from './allocate.ts';
import { type AddressPoolSettings, createAddressPools } from './pools.ts';
import { createAddressBook } from './state.ts';

const QUARANTINE_MS = 60_000;

function world(settings: Partial<AddressPoolSettings> = {}) {
  let book = createAddressBook();
  const pools = createAddressPools(settings);
  const at = (nowMs: number) => ({ pools, nowMs, quarantineMs: QUARANTINE_MS });
  const plan = (request: AddressRequest, nowMs = 0) => planAllocation(book, request, at(nowMs));
  return {
    plan,
    give(request: AddressRequest, nowMs = 0) {
      const { pair, changes } = plan(request, nowMs);
      book.apply(changes);
      return pair;
    },
    free: (owner: string, nowMs: number) => book.apply(planRelease(book, owner, nowMs)),
    /** As after a restart: everything goes through JSON. */
    reload() {
      const stored = JSON.stringify([[...book.rows()], [...book.cursors()]]);
      const [rows, cursors] = JSON.parse(stored);
      book = createAddressBook(rows, cursors);
    },
  };
}
const service = (owner: string, v4?: string, v6?: string): AddressRequest => ({
  ...{ kind: 'service', owner: `service ${owner}` },
  wish: { v4, v6 },
});
const instance = (owner: string): AddressRequest => ({ kind: 'instance', owner: `instance ${owner}` });
const subnet = (owner: string): AddressRequest => ({ kind: 'subnet', owner: `worker ${owner}` });

function failureOf(action: () => unknown): OakestraError {
  try {
    action();
  } catch (error) {
    if (error instanceof OakestraError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('the first addresses of an empty system', () => {
  it('are those of the original (network 18.2)', () => {
    const { give } = world();
    expect(give(service('a'))).toEqual({ v4: '10.30.0.0', v6: 'fdff:2000::' });
    expect(give(instance('a.0'))).toEqual({ v4: '10.30.0.1', v6: 'fdff::' });
    expect(give(subnet('w1'))).toEqual({ v4: '10.18.0.0', v6: 'fc00::' });
    expect(give(subnet('w2'))).toEqual({ v4: '10.18.0.64', v6: 'fc00::100' });
  });

  it('leave the first one to an instance when the service wished another', () => {
    const { give } = world();
    expect(give(service('a', '10.30.30.30'))).toEqual({ v4: '10.30.30.30', v6: 'fdff:2000::' });
    expect(give(instance('a.0')).v4).toBe('10.30.0.0');
  });
});

describe('a pool', () => {
  it('gives no address whose last or third octet is above 253, and ends where the original ends', () => {
    const { give } = world();
    const given = new Set<string>();
    for (let count = 0; count < 64_515; count += 1) given.add(give(instance(String(count))).v4);
    expect(given.size).toBe(64_515);
    expect([...given].slice(253, 256)).toEqual(['10.30.0.253', '10.30.1.0', '10.30.1.1']);
    expect([...given].at(-1)).toBe('10.30.253.252');
    const error = failureOf(() => give(instance('one too many')));
    expect([error.kind, error.code]).toEqual(['exhausted', 'addresses-exhausted']);
    expect(error.message).toContain('semanticV4');
  });

  it('gives all sub-networks but the one in which the tunnel device of old workers sits', () => {
    const { give } = world();
    const given: string[] = [];
    for (let count = 0; count < 12_286; count += 1) given.push(give(subnet(String(count))).v4);
    expect(new Set(given).size).toBe(12_286);
    expect(given).not.toContain('10.19.1.192');
    expect(given.at(-1)).toBe('10.29.255.128');
    expect(failureOf(() => give(subnet('one too many'))).code).toBe('addresses-exhausted');
  });

  it('goes on in its second range', () => {
    const { give } = world({
      instanceV6: {
        ranges: [
          { first: 'fdff::', last: 'fdff::1' },
          { first: 'fdff:800::', last: 'fdff:800::1' },
        ],
        prefixLength: 128,
      },
    });
    expect(['a', 'b', 'c'].map((owner) => give(instance(owner)).v6)).toEqual([
      'fdff::',
      'fdff::1',
      'fdff:800::',
    ]);
  });

  it.each([
    [{ subnetV4: { ranges: [], prefixLength: 26 } }, 'at least one range'],
    [
      { subnetV4: { ranges: [{ first: '10.18.0.1', last: '10.18.1.0' }], prefixLength: 26 } },
      'did you mean 10.18.0.0',
    ],
    [{ subnetV4: { ranges: [{ first: '10.18.1.0', last: '10.18.0.0' }], prefixLength: 26 } }, 'is empty'],
    [
      { subnetV4: { ranges: [{ first: '10.30.0.0', last: '10.30.1.0' }], prefixLength: 26 } },
      'overlaps with the pool semanticV4',
    ],
    [
      { subnetV4: { ranges: [{ first: 'x', last: '10.18.1.0' }], prefixLength: 26 } },
      '"x" is no IPv4 address',
    ],
    [
      { subnetV4: { ranges: [{ first: '10.18.0.0', last: '10.18.1.0' }], prefixLength: 33 } },
      'prefix length',
    ],
    [{ wishedServiceV6: { first: 'fdfe::', last: 'fdff:20ff::' } }, 'overlaps with the pool instanceV6'],
    [{ reserved: ['x'] }, '"x" is no address'],
  ])('refuses settings that make no sense: %j', (settings, reason) => {
    const error = failureOf(() => createAddressPools(settings));
    expect(error.code).toBe('address-pool-invalid');
    expect(error.message).toContain(reason);
  });
});

describe('a wish', () => {
  it('is met in any spelling, also from where nothing is given without a wish', () => {
    const { give } = world();
    expect(give(service('a', '10.30.255.254', 'FDFF:20AB:0:0::7'))).toEqual({
      v4: '10.30.255.254',
      v6: 'fdff:20ab::7',
    });
  });

  it('is never given to somebody else afterwards (network Q1)', () => {
    const { give } = world();
    give(service('a', '10.30.0.1', 'fdff:2000::1'));
    expect(give(service('b'))).toEqual({ v4: '10.30.0.0', v6: 'fdff:2000::' });
    expect(give(service('c'))).toEqual({ v4: '10.30.0.2', v6: 'fdff:2000::2' });
  });

  it('counts as absent when it is empty', () => {
    const { give } = world();
    expect(give(service('a', '', ''))).toEqual({ v4: '10.30.0.0', v6: 'fdff:2000::' });
  });

  it('for what somebody has is refused, whatever it is used for', () => {
    const { give, plan } = world();
    const held = give(instance('a.0'));
    const error = failureOf(() => plan(service('b', held.v4)));
    expect([error.kind, error.code, error.details.holder]).toEqual([
      'conflict',
      'address-taken',
      'instance a.0',
    ]);
    give(service('c', '10.30.9.9', 'fdff:2000::9'));
    expect(failureOf(() => plan(service('b', undefined, 'fdff:2000:0:0:0:0:0:9'))).code).toBe(
      'address-taken',
    );
  });

  it.each([
    ['10.31.0.1', undefined],
    ['10.30.0', undefined],
    ['10.30.0.256', undefined],
    ['fdff:2000::', undefined],
    [undefined, 'fdff:20::'],
    [undefined, 'fdff::1'],
    [undefined, 'fdff:2100::'],
    [undefined, '10.30.0.1'],
  ])('for %s, %s is refused: it is outside', (v4, v6) => {
    const { plan } = world();
    const error = failureOf(() => plan(service('a', v4, v6)));
    expect([error.kind, error.code]).toEqual(['invalid', 'address-wish-invalid']);
  });

  it('that is new replaces what the owner had', () => {
    const { give } = world();
    give(service('a'));
    expect(give(service('a', '10.30.5.5'))).toEqual({ v4: '10.30.5.5', v6: 'fdff:2000::' });
    expect(give(service('a'))).toEqual({ v4: '10.30.5.5', v6: 'fdff:2000::' });
    expect(give(service('b', '10.30.0.0')).v4).toBe('10.30.0.0');
  });
});

describe('what was freed', () => {
  it('comes back when its quarantine is over, not earlier, the longest free one first', () => {
    const { give, free } = world();
    for (const owner of ['a', 'b', 'c']) give(instance(owner));
    free('instance b', 1000);
    free('instance a', 2000);
    expect(give(instance('d'), 1000 + QUARANTINE_MS - 1).v4).toBe('10.30.0.3');
    expect(give(instance('e'), 1000 + QUARANTINE_MS).v4).toBe('10.30.0.1');
    expect(give(instance('f'), 2000 + QUARANTINE_MS).v4).toBe('10.30.0.0');
  });

  it('can be wished at once: who names it, means it', () => {
    const { give, free } = world();
    give(service('a', '10.30.5.5'));
    free('service a', 1000);
    expect(give(service('b', '10.30.5.5'), 1001).v4).toBe('10.30.5.5');
  });

  it('was wished from outside of the pool, and keeps nothing else from coming back', () => {
    const { give, free } = world();
    give(service('a', '10.30.254.1'));
    give(instance('b'));
    free('service a', 0);
    free('instance b', 1);
    expect(give(instance('c'), QUARANTINE_MS + 1).v4).toBe('10.30.0.0');
    expect(give(instance('d'), QUARANTINE_MS + 1).v4).toBe('10.30.0.1');
  });

  it('is promised in the message when nothing else is left', () => {
    const { give, free } = world({
      subnetV4: { ranges: [{ first: '10.18.0.0', last: '10.18.0.64' }], prefixLength: 26 },
    });
    give(subnet('a'));
    give(subnet('b'));
    expect(failureOf(() => give(subnet('c'))).message).toContain('larger range');
    free('worker a', 0);
    const error = failureOf(() => give(subnet('c'), 1000));
    expect(error.message).toContain('may be used again from 59 s on');
    expect(error.details.retryAfterSeconds).toBe(59);
    expect(give(subnet('c'), QUARANTINE_MS).v4).toBe('10.18.0.0');
  });
});

describe('a decision', () => {
  it('changes nothing for an owner who has a pair, nor for one who has none to give back', () => {
    const { give, plan } = world();
    give(service('a'));
    expect(plan(service('a')).changes).toEqual([]);
    expect(planRelease(createAddressBook(), 'nobody', 0)).toEqual([]);
  });

  it('is the same after a restart', () => {
    const { give, free, plan, reload } = world();
    for (const owner of ['a', 'b', 'c']) give(instance(owner));
    free('instance b', 5);
    free('instance a', 9);
    const before = [plan(instance('d'), 10), plan(instance('d'), QUARANTINE_MS + 9)];
    reload();
    expect([plan(instance('d'), 10), plan(instance('d'), QUARANTINE_MS + 9)]).toEqual(before);
  });

  it('that comes too late is refused whole', () => {
    const book = createAddressBook();
    const context = { pools: createAddressPools(), nowMs: 0, quarantineMs: 0 };
    const first = planAllocation(book, service('a'), context);
    const second = planAllocation(book, service('b'), context);
    book.apply(first.changes);
    expect(failureOf(() => book.apply(second.changes)).code).toBe('address-state-stale');
    expect([...book.rows()]).toHaveLength(2);
  });
});

describe('a decision that was not stored', () => {
  const context = { pools: createAddressPools(), nowMs: 0, quarantineMs: QUARANTINE_MS };

  it('leaves its address free, and what others got meanwhile as it is', () => {
    const book = createAddressBook();
    const first = planAllocation(book, instance('a'), context);
    book.apply(first.changes);
    const second = planAllocation(book, instance('b'), context);
    book.apply(second.changes);
    book.apply(planUndo(book, first.changes, 5));
    expect(book.rowsOf('instance a')).toEqual([]);
    expect(planAllocation(book, instance('b'), context).pair).toEqual(second.pair);
    const later = { ...context, nowMs: 5 + QUARANTINE_MS };
    expect(planAllocation(book, instance('c'), later).pair).toEqual(first.pair);
  });

  it('gives back to the owner what it wanted to free, unless somebody has it now', () => {
    const book = createAddressBook();
    const { pair, changes } = planAllocation(book, service('a'), context);
    book.apply(changes);
    const release = planRelease(book, 'service a', 7);
    book.apply(release);
    book.apply(planAllocation(book, service('b', pair.v4), context).changes);
    book.apply(planUndo(book, release, 8));
    expect(book.row(pair.v4)?.owner).toBe('service b');
    expect(book.row(pair.v6)?.owner).toBe('service a');
  });
});

it('a hole behind the cursor is found when the pool is at its end', () => {
  const pools = createAddressPools({
    subnetV4: { ranges: [{ first: '10.18.0.0', last: '10.18.0.64' }], prefixLength: 26 },
  });
  // A batch that moved the cursor was stored, one before it was not.
  const book = createAddressBook([], [{ pool: 'subnetV4', next: '' }]);
  const context = { pools, nowMs: 0, quarantineMs: QUARANTINE_MS };
  expect(planAllocation(book, subnet('a'), context).pair.v4).toBe('10.18.0.0');
});
