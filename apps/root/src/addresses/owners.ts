import { type InstanceKey, OakestraError, type ServiceDocument } from '@oakestra/contracts';
import type { AddressPair, AddressRequest } from '@oakestra/netplan';

/** Who may have addresses. The texts are stored: they do not change. */
export const addressOwner = {
  service: (serviceId: string) => `service/${serviceId}`,
  instance: (key: InstanceKey) => `instance/${key}`,
  subnet: (clusterId: string, workerId: string) => `subnet/${clusterId}/${workerId}`,
} as const;

/** The pair of a service: the addresses that its document wishes, else the next ones. */
export function serviceAddressRequest(serviceId: string, document: ServiceDocument): AddressRequest {
  const { RR_ip: v4, RR_ip_v6: v6 } = document;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    kind: 'service',
    owner: addressOwner.service(serviceId),
    wish: { v4: text(v4), v6: text(v6) },
  };
}

/** The document with the addresses that the service really has (root-api Q29). */
export function withServiceAddresses(document: ServiceDocument, { v4, v6 }: AddressPair): ServiceDocument {
  return { ...document, RR_ip: v4, RR_ip_v6: v6 };
}

/** The pair of this owner, which the caller asked for in the same breath. */
export function pairOf(pairs: ReadonlyMap<string, AddressPair>, owner: string): AddressPair {
  const pair = pairs.get(owner);
  if (pair !== undefined) return pair;
  throw new OakestraError('internal', 'address-pair-missing', `No addresses were asked for ${owner}.`);
}
