import { messageOf } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import type { Statement } from '@oakestra/store';
import {
  type Addresses,
  addressOwner,
  pairOf,
  serviceAddressRequest,
  withServiceAddresses,
} from '../addresses/index.ts';
import type { SubmittedService } from './applications.ts';

/** The addresses of services (root-api Q29): taken before anyone hears of a service, given back after its end. */
export interface ServiceAddresses {
  /**
   * Takes addresses, in one batch with what the caller makes of the services that have them. Rejects
   * `address-wish-invalid`, `address-taken`, `addresses-exhausted`; nothing is stored then.
   */
  take(
    services: readonly SubmittedService[],
    statementsFor: (addressed: readonly SubmittedService[]) => readonly Statement[],
  ): Promise<readonly SubmittedService[]>;
  /** Of services that are gone. What a crash leaves is found at the next start. */
  release(serviceIds: readonly string[]): Promise<void>;
  /** For a service that nobody gave any, such as one that was adopted: what its document says, if that is free. */
  assume(service: SubmittedService): Promise<void>;
  /** Gives back what belongs to services that are not among these. */
  sweep(livingIds: ReadonlySet<string>): Promise<void>;
}

const OF_SERVICES = addressOwner.service('');

export function createServiceAddresses(addresses: Addresses, logger: Logger): ServiceAddresses {
  const release = async (owners: readonly string[]): Promise<void> => {
    const held = owners.filter((owner) => addresses.pairOf(owner) !== undefined);
    if (held.length > 0) await addresses.commit({ release: held }, () => []);
  };
  return {
    async take(services, statementsFor) {
      const requests = services.map(({ id, document }) => serviceAddressRequest(id, document));
      let addressed: readonly SubmittedService[] = [];
      await addresses.commit({ allocate: requests }, (pairs) => {
        addressed = services.map(({ id, document }) => ({
          id,
          document: withServiceAddresses(document, pairOf(pairs, addressOwner.service(id))),
        }));
        return statementsFor(addressed);
      });
      return addressed;
    },
    release: (serviceIds) => release(serviceIds.map(addressOwner.service)),
    async assume({ id, document }) {
      if (addresses.pairOf(addressOwner.service(id)) !== undefined) return;
      await addresses
        .commit({ allocate: [serviceAddressRequest(id, document)] }, () => [])
        .catch((error: unknown) => {
          logger.warn('the addresses of an adopted service belong to another one by now', {
            service: id,
            reason: messageOf(error),
          });
        });
    },
    sweep: (livingIds) =>
      release(
        addresses
          .owners()
          .filter(
            (owner) => owner.startsWith(OF_SERVICES) && !livingIds.has(owner.slice(OF_SERVICES.length)),
          ),
      ),
  };
}
