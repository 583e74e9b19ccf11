import { OakestraError } from '@oakestra/contracts';
import type { InstanceNetwork, NetworkSettings } from '@oakestra/netplan';
import type { AddressBook } from './address-book.ts';
import type { PortBook } from './port-book.ts';

/** What the parts of one local network know together. */
export interface NetworkState {
  /** Absent before the kernel was read for the first time, and after a purge. */
  settings: NetworkSettings | undefined;
  /** By namespace. */
  readonly instances: Map<string, InstanceNetwork>;
  /** Networks of nobody we know, with processes in them; by namespace. */
  readonly strangers: Map<string, InstanceNetwork>;
  readonly addresses: AddressBook;
  readonly ports: PortBook;
}

/** The settings of a network that is up. */
export function settingsOf(state: NetworkState): NetworkSettings {
  if (state.settings !== undefined) return state.settings;
  throw new OakestraError(
    'unavailable',
    'network-not-ready',
    'the network of this host was removed meanwhile; try again',
  );
}
