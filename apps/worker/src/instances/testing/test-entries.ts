import type { ServiceDocument } from '@oakestra/contracts';
import type { InstanceEntry } from '../../journal/index.ts';

export const SERVICE = '1'.repeat(24);
/** Another service with the same name. */
export const NAMESAKE = '2'.repeat(24);
export const USER = 'e'.repeat(24);

export function documentOf(serviceId: string, fields: Record<string, unknown> = {}): ServiceDocument {
  return {
    microserviceID: serviceId,
    applicationID: 'a'.repeat(24),
    job_name: 'shop.default.web.default',
    app_name: 'shop',
    app_ns: 'default',
    service_name: 'web',
    service_ns: 'default',
    virtualization: 'docker',
    image: 'nginx',
    code: 'nginx',
    ...fields,
  };
}

export function entryOf(
  fields: Partial<InstanceEntry> & { readonly serviceId?: string; readonly number?: number } = {},
): InstanceEntry {
  const { serviceId = SERVICE, number = 0, ...rest } = fields;
  return {
    key: `${serviceId}/${number}`,
    epoch: { root: 1, cluster: 1 },
    wanted: 'running',
    document: documentOf(serviceId),
    ownerUserId: USER,
    outcome: null,
    outcomeDetail: '',
    pinnedImage: null,
    ...rest,
  };
}
