import type { ServiceDocument } from '../documents.ts';
import { SEALED_REFERENCES_FIELD } from '../sealed-references.ts';
import type { SlaMicroservice } from './schema.ts';
import { canonicalServiceAddressV4, canonicalServiceAddressV6 } from './service-address.ts';

export interface ServiceDocumentSource {
  /** Name and namespace of the application that the service belongs to. */
  readonly application: { readonly name: string; readonly namespace: string };
  readonly microservice: SlaMicroservice;
  readonly ids: { readonly service: string; readonly application: string };
}

/**
 * Fields that only we may set: a submitted document must not smuggle in state. The first row is kept outside of
 * the document by the root, the second is derived below.
 */
const RESERVED: ReadonlySet<string> = new Set([
  ...['_id', 'instance_list', 'next_instance_progressive_number', 'status', 'status_detail'],
  ...['RR_ip', 'RR_ip_v6', 'service_revision', SEALED_REFERENCES_FIELD],
]);

/** Derives the document that the root stores and sends down for one submitted microservice (root-api 4.5). */
export function serviceDocumentFrom(source: ServiceDocumentSource): ServiceDocument {
  const { application, microservice, ids } = source;
  const submitted = Object.fromEntries(Object.entries(microservice).filter(([key]) => !RESERVED.has(key)));
  return {
    ...submitted,
    microserviceID: ids.service,
    applicationID: ids.application,
    job_name: jobNameOf(application, microservice),
    app_name: application.name,
    app_ns: application.namespace,
    service_name: microservice.microservice_name,
    service_ns: microservice.microservice_namespace,
    virtualization: microservice.virtualization === 'container' ? 'docker' : microservice.virtualization,
    code: microservice.code,
    image: microservice.code,
    ...wishedAddresses(microservice),
  };
}

/** The full name of a service, unique in the whole system: four parts, three dots (root-api 6.1). */
function jobNameOf(
  application: { readonly name: string; readonly namespace: string },
  microservice: SlaMicroservice,
): string {
  const { microservice_name: name, microservice_namespace: namespace } = microservice;
  return `${application.name}.${application.namespace}.${name}.${namespace}`;
}

/** Present only if `addresses` was given, in the canonical spelling; an empty address counts as absent. */
function wishedAddresses(
  microservice: SlaMicroservice,
): { RR_ip: string | null; RR_ip_v6: string | null } | object {
  const { addresses } = microservice;
  if (addresses === undefined) return {};
  return {
    RR_ip: canonicalServiceAddressV4(addresses.rr_ip ?? '') ?? null,
    RR_ip_v6: canonicalServiceAddressV6(addresses.rr_ip_v6 ?? '') ?? null,
  };
}
