import { OakestraError } from '@oakestra/contracts';
import { type Family, formatAddress, parseAddress } from './address-text.ts';
import type { Pool } from './pool.ts';
import { type AddressKind, type AddressPools, POOL_OF, type PoolName } from './pools.ts';
import type { AddressChange, AddressRow, AddressState } from './state.ts';

/** Addresses come in pairs (network 2.2). */
export interface AddressPair {
  readonly v4: string;
  readonly v6: string;
}

export interface AddressRequest {
  readonly kind: AddressKind;
  /** Whoever shall have the pair; the same owner keeps what it has. */
  readonly owner: string;
  /** Wanted addresses, in any spelling; empty counts as absent. */
  readonly wish?: { readonly v4?: string | null | undefined; readonly v6?: string | null | undefined };
}

export interface AllocationContext {
  readonly pools: AddressPools;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** So long nobody gets a freed address without a wish: connections and caches may still point at its old owner. */
  readonly quarantineMs: number;
}

export interface AddressPlan {
  readonly pair: AddressPair;
  /** Nothing when the owner has the pair already. */
  readonly changes: readonly AddressChange[];
}

/**
 * Decides on the pair of one owner (network 2.3, 2.4): what it has already, what it wishes, an address that was free
 * for long enough, or the next one that nobody ever had, in this order. Throws `address-wish-invalid`,
 * `address-taken`, `addresses-exhausted`. Pure.
 */
export function planAllocation(
  state: AddressState,
  request: AddressRequest,
  context: AllocationContext,
): AddressPlan {
  if (request.owner === '') throw new OakestraError('internal', 'address-owner', 'An owner needs a name.');
  const changes: AddressChange[] = [];
  const v4 = planOne(state, request, 4, context, changes);
  const v6 = planOne(state, request, 6, context, changes);
  return { pair: { v4, v6 }, changes };
}

function planOne(
  state: AddressState,
  request: AddressRequest,
  family: Family,
  context: AllocationContext,
  changes: AddressChange[],
): string {
  const { kind, owner } = request;
  const pool = POOL_OF[kind][family === 4 ? 'v4' : 'v6'];
  const present = state.rowsOf(owner).find((row) => row.pool === pool);
  const wish = wishOf(request, family, context.pools);
  if (present !== undefined && (wish === undefined || wish === present.address)) return present.address;
  const address = wish ?? nextFree(state, pool, context, changes);
  const before = state.row(address);
  if (before !== undefined && before.owner !== '') throw taken(address, family, request, before);
  changes.push({ kind: 'row', before, after: { address, pool, owner, freedAtMs: null } });
  // A new wish replaces what the owner had.
  if (present !== undefined) changes.push(freeing(present, context.nowMs));
  return address;
}

/** The wish in canonical spelling. Throws `address-wish-invalid`. */
function wishOf(request: AddressRequest, family: Family, pools: AddressPools): string | undefined {
  const text = (family === 4 ? request.wish?.v4 : request.wish?.v6) ?? '';
  if (text === '') return undefined;
  const value = parseAddress(family, text);
  if (value !== undefined && pools.mayBeWished(request.kind, family, value)) {
    return formatAddress(family, value);
  }
  const rule = `must be an IPv${family} address from ${pools.wishRule(request.kind, family)}`;
  throw new OakestraError(
    'invalid',
    'address-wish-invalid',
    `The wished address "${text.slice(0, 60)}" ${rule}. Choose another one or none.`,
    { violations: [{ path: wishPath(family), message: rule }] },
  );
}

/** Changes the cursor when it takes from there. */
function nextFree(
  state: AddressState,
  poolName: PoolName,
  { pools, nowMs, quarantineMs }: AllocationContext,
  changes: AddressChange[],
): string {
  const pool = pools.byName[poolName];
  let waiting: AddressRow | undefined;
  for (const row of state.freed(poolName)) {
    const value = parseAddress(pool.family, row.address);
    // One from outside was wished once, or the settings changed since.
    if (value === undefined || !pool.contains(value)) continue;
    if (isOut(row, nowMs, quarantineMs)) return row.address;
    waiting = row;
    break;
  }
  const cursor = state.cursor(poolName);
  const start = cursor === undefined ? undefined : parseAddress(pool.family, cursor);
  const candidate =
    (cursor === '' ? undefined : unused(state, pool, start)) ??
    // At the end of the pool: what lies behind the cursor without a row was lost on the way, or is new in the settings.
    (cursor === undefined ? undefined : unused(state, pool, undefined));
  if (candidate === undefined) throw exhausted(state, poolName, waiting, { nowMs, quarantineMs });
  const following = pool.after(candidate);
  changes.push({
    kind: 'cursor',
    before: cursor === undefined ? undefined : { pool: poolName, next: cursor },
    after: {
      pool: poolName,
      next: following === undefined ? '' : formatAddress(pool.family, following),
    },
  });
  return formatAddress(pool.family, candidate);
}

/** The first address from `start` on that has no row. */
function unused(state: AddressState, pool: Pool, start: bigint | undefined): bigint | undefined {
  let candidate = pool.from(start ?? -1n);
  while (candidate !== undefined && state.row(formatAddress(pool.family, candidate)) !== undefined) {
    candidate = pool.after(candidate);
  }
  return candidate;
}

function isOut({ freedAtMs }: AddressRow, nowMs: number, quarantineMs: number): boolean {
  return freedAtMs !== null && nowMs - freedAtMs >= quarantineMs;
}

/** Takes everything from an owner. Nothing changes for one who has nothing. Pure. */
export function planRelease(state: AddressState, owner: string, nowMs: number): readonly AddressChange[] {
  return state.rowsOf(owner).map((row) => freeing(row, nowMs));
}

/**
 * Takes back a decision that was applied but then not stored; what happened to its addresses since stays. An address
 * that was taken for it counts as freed. Pure.
 */
export function planUndo(
  state: AddressState,
  changes: readonly AddressChange[],
  nowMs: number,
): readonly AddressChange[] {
  return changes.flatMap((change): AddressChange[] => {
    if (change.kind === 'cursor') return [];
    const current = state.row(change.after.address);
    if (current?.owner !== change.after.owner || current.freedAtMs !== change.after.freedAtMs) return [];
    const before = change.before ?? { ...change.after, owner: '', freedAtMs: nowMs };
    return [{ kind: 'row', before: current, after: before }];
  });
}

function freeing(row: AddressRow, nowMs: number): AddressChange {
  return { kind: 'row', before: row, after: { ...row, owner: '', freedAtMs: nowMs } };
}

function taken(address: string, family: Family, { owner }: AddressRequest, row: AddressRow): OakestraError {
  return new OakestraError(
    'conflict',
    'address-taken',
    `The address ${address} belongs to ${row.owner} already. Choose another one or none.`,
    {
      details: { address, owner, holder: row.owner },
      violations: [{ path: wishPath(family), message: `${address} belongs to ${row.owner}` }],
    },
  );
}

function exhausted(
  state: AddressState,
  pool: PoolName,
  waiting: AddressRow | undefined,
  { nowMs, quarantineMs }: Pick<AllocationContext, 'nowMs' | 'quarantineMs'>,
): OakestraError {
  const { held, freed } = state.counts(pool);
  const waitMs = waiting === undefined ? undefined : (waiting.freedAtMs ?? 0) + quarantineMs - nowMs;
  const advice =
    waitMs === undefined
      ? 'Remove what is not needed, or give the pool a larger range'
      : `${freed} more were freed and may be used again from ${Math.max(1, Math.ceil(waitMs / 1000))} s on`;
  return new OakestraError(
    'exhausted',
    'addresses-exhausted',
    `The address pool ${pool} has no address left: ${held} are in use. ${advice}.`,
    {
      details: {
        pool,
        held,
        freed,
        ...(waitMs === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) }),
      },
    },
  );
}

function wishPath(family: Family): string {
  return family === 4 ? 'addresses.rr_ip' : 'addresses.rr_ip_v6';
}
