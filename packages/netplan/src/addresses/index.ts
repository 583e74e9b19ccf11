export {
  type AddressPair,
  type AddressPlan,
  type AddressRequest,
  type AllocationContext,
  planAllocation,
  planRelease,
  planUndo,
} from './allocate.ts';
export type { AddressRange, PoolSettings } from './pool.ts';
export {
  type AddressKind,
  type AddressPoolSettings,
  type AddressPools,
  createAddressPools,
  DEFAULT_ADDRESS_POOLS,
  type PoolName,
} from './pools.ts';
export {
  type AddressBook,
  type AddressChange,
  type AddressRow,
  type AddressState,
  type CursorRow,
  createAddressBook,
} from './state.ts';
