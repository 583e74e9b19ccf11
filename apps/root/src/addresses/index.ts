export { type Addresses, openAddresses } from './open-addresses.ts';
export { addressOwner, pairOf, serviceAddressRequest, withServiceAddresses } from './owners.ts';
export { type AddressesSchema, addressesMigrations } from './schema.ts';
