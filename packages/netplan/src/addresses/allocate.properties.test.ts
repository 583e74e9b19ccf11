import { OakestraError } from '@oakestra/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type AddressRequest, planAllocation, planRelease } from './allocate.ts';
import { type AddressKind, createAddressPools } from './pools.ts';
import { createAddressBook } from './state.ts';

const QUARANTINE_MS = 10;
// Small enough that they run out and that wishes meet what was given.
const pools = createAddressPools({
  semanticV4: { ranges: [{ first: '10.30.0.250', last: '10.30.1.4' }], prefixLength: 32, highestOctet: 253 },
  serviceV6: { ranges: [{ first: 'fdff:2000::', last: 'fdff:2000::5' }], prefixLength: 128 },
  instanceV6: { ranges: [{ first: 'fdff::', last: 'fdff::5' }], prefixLength: 128 },
  subnetV4: { ranges: [{ first: '10.19.1.128', last: '10.19.2.0' }], prefixLength: 26 },
  subnetV6: { ranges: [{ first: 'fc00::', last: 'fc00::300' }], prefixLength: 120 },
});
const INSIDE: Readonly<Record<AddressKind, RegExp>> = {
  service: /^10\.30\.\d+\.\d+ fdff:20[0-9a-f]{2}:/,
  instance: /^10\.30\.(0\.25[0-3]|1\.[0-4]) fdff::[1-5]?$/,
  subnet: /^10\.19\.(1\.128|2\.0) fc00::([123]00)?$/,
};

const kind = fc.constantFrom<AddressKind>('service', 'instance', 'subnet');
const number = fc.integer({ min: 0, max: 7 });
const wish = fc.record({
  v4: fc.constantFrom('', '10.30.0.250', '10.30.0.255', '10.30.1.1', '10.30.200.7', '10.31.0.0'),
  v6: fc.constantFrom('', 'fdff:2000::2', 'FDFF:2000:0::3', 'fdff:20ff::', 'fdff::1'),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('give' as const), kind, number }) },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ do: fc.constant('give' as const), number, wish },
      kind: fc.constant<AddressKind>('service'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('free' as const), kind, number }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** The state beside a model of its own: who has what, and since when what is free. */
function createWorld(counts: Record<'given' | 'recycled' | 'refused', number>) {
  let book = createAddressBook();
  let nowMs = 1000;
  const holders = new Map<string, string>();
  const freeSince = new Map<string, number>();

  const stored = () => JSON.stringify([[...book.rows()], [...book.cursors()]]);
  const takeFrom = (owner: string, kept: readonly string[]) => {
    for (const [address, holder] of holders) {
      if (holder !== owner || kept.includes(address)) continue;
      holders.delete(address);
      freeSince.set(address, nowMs);
    }
  };
  const noteGiven = (address: string, owner: string, isWished: boolean) => {
    expect(holders.get(address) ?? owner).toBe(owner);
    holders.set(address, owner);
    const since = freeSince.get(address);
    if (since === undefined) return;
    if (!isWished) expect(nowMs - since).toBeGreaterThanOrEqual(QUARANTINE_MS);
    freeSince.delete(address);
    counts.recycled += 1;
  };
  return {
    wait(ms: number) {
      nowMs += ms;
    },
    restart() {
      const [rows, cursors] = JSON.parse(stored());
      book = createAddressBook(rows, cursors);
    },
    free(owner: string) {
      book.apply(planRelease(book, owner, nowMs));
      takeFrom(owner, []);
    },
    give(request: AddressRequest) {
      const before = stored();
      let plan: ReturnType<typeof planAllocation>;
      try {
        plan = planAllocation(book, request, { pools, nowMs, quarantineMs: QUARANTINE_MS });
      } catch (error) {
        expect(error).toBeInstanceOf(OakestraError);
        expect(stored()).toBe(before);
        counts.refused += 1;
        return;
      }
      book.apply(plan.changes);
      const { v4, v6 } = plan.pair;
      expect(`${v4} ${v6}`).toMatch(INSIDE[request.kind]);
      takeFrom(request.owner, [v4, v6]);
      noteGiven(v4, request.owner, request.wish?.v4 === v4);
      noteGiven(v6, request.owner, request.wish?.v6?.toLowerCase().replace(':0::', '::') === v6);
      counts.given += 1;
    },
    verify() {
      const held = [...book.rows()].filter(({ owner }) => owner !== '');
      expect(held).toHaveLength(holders.size);
      for (const { address, owner } of held) expect(holders.get(address)).toBe(owner);
    },
  };
}

it('no address is given twice, none is outside, and none comes back before its quarantine is over', () => {
  const counts = { given: 0, recycled: 0, refused: 0 };
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) => {
      const world = createWorld(counts);
      for (const action of steps) {
        if (action.do === 'wait') world.wait(action.ms);
        else if (action.do === 'restart') world.restart();
        else {
          const owner = `${action.kind} ${action.number}`;
          if (action.do === 'free') world.free(owner);
          else
            world.give({
              ...{ kind: action.kind, owner },
              ...('wish' in action ? { wish: action.wish } : {}),
            });
        }
      }
      world.verify();
    }),
    { numRuns: 200, seed: 20_261_122 },
  );
  // Otherwise the property says nothing.
  for (const count of Object.values(counts)) expect(count, JSON.stringify(counts)).toBeGreaterThan(100);
});

it('a pool gives everything it has before it gives up', () => {
  const book = createAddressBook();
  const give = (owner: string) => {
    const plan = planAllocation(
      book,
      { kind: 'subnet', owner },
      { pools, nowMs: 0, quarantineMs: QUARANTINE_MS },
    );
    book.apply(plan.changes);
    return plan.pair.v4;
  };
  // 10.19.1.192 is where the tunnel device of old workers sits.
  expect([give('a'), give('b')]).toEqual(['10.19.1.128', '10.19.2.0']);
  expect(() => give('c')).toThrow(/no address left/);
});
