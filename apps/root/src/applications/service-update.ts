import type { JsonObject, ServiceDocument, Violation } from '@oakestra/contracts';
import { serviceDocumentFrom } from '@oakestra/contracts/sla';
import { withServiceAddresses } from '../addresses/index.ts';
import { checkedSla, slaInvalid } from './submission.ts';

/** The place of the one microservice in the SLA. */
export const CHANGED_PATH = 'applications[0].microservices[0]';

/**
 * The document of a service as an SLA with this one microservice wants it. What names the service must stay as it
 * is, and its addresses too: others know it by them. Throws `sla-invalid` with every violation.
 */
export function changedDocument(before: ServiceDocument, sla: unknown): ServiceDocument {
  const [application] = checkedSla(withoutOwnId(sla, before.microserviceID)).applications;
  const [microservice, ...others] = application?.microservices ?? [];
  if (microservice === undefined || others.length > 0) {
    const message = 'must contain exactly one microservice: the service as it is to be';
    throw slaInvalid([{ path: 'applications[0].microservices', message }]);
  }
  const changed = serviceDocumentFrom({
    application: { name: before.app_name, namespace: before.app_ns },
    microservice,
    ids: { service: before.microserviceID, application: before.applicationID },
  });
  const violations = [
    ...fixed('microservice_name', before.service_name, changed.service_name),
    ...fixed('microservice_namespace', before.service_ns, changed.service_ns),
    ...fixed('addresses.rr_ip', before.RR_ip, changed.RR_ip ?? before.RR_ip),
    ...fixed('addresses.rr_ip_v6', before.RR_ip_v6, changed.RR_ip_v6 ?? before.RR_ip_v6),
  ];
  if (violations.length > 0) throw slaInvalid(violations);
  const address = (value: unknown) => (typeof value === 'string' ? value : '');
  return withServiceAddresses(changed, { v4: address(before.RR_ip), v6: address(before.RR_ip_v6) });
}

function fixed(field: string, before: unknown, after: unknown): Violation[] {
  if (before === after) return [];
  return [
    {
      path: `${CHANGED_PATH}.${field}`,
      message: `must stay "${String(before)}"; a new service may have another one`,
    },
  ];
}

/** Clients send back what they have read, with the id that only we may set. */
function withoutOwnId(sla: unknown, serviceId: string): unknown {
  if (!isObject(sla) || !Array.isArray(sla.applications)) return sla;
  const applications = sla.applications.map((application: unknown) => {
    if (!isObject(application) || !Array.isArray(application.microservices)) return application;
    const microservices = application.microservices.map((microservice: unknown) => {
      if (!isObject(microservice) || microservice.microserviceID !== serviceId) return microservice;
      const { microserviceID: _, ...rest } = microservice;
      return rest;
    });
    return { ...application, microservices };
  });
  return { ...sla, applications };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
