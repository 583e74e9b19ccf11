import type { Violation } from '../errors.ts';

/*
 * Rules that concern more than one field. They look at the document as it came, because they must also speak
 * when another field is wrong: the author wants to see everything at once.
 */

type Fields = Readonly<Record<string, unknown>>;

export function crossViolations(input: unknown): Violation[] {
  const violations: Violation[] = [];
  const applications = objects(fieldsOf(input)?.applications);
  violations.push(...repeatedApplications(applications));
  for (const [index, application] of applications) {
    const path = `applications[${index}]`;
    const services = objects(application.microservices);
    violations.push(...repeatedServices(path, services), ...repeatedAddresses(path, services));
    for (const [position, service] of services) {
      violations.push(...unikernelViolations(`${path}.microservices[${position}]`, service));
    }
  }
  return violations;
}

function repeatedApplications(applications: readonly [number, Fields][]): Violation[] {
  return repeated(applications, (fields) =>
    joined(fields.application_name, fields.application_namespace),
  ).map(({ index, first, key }) => ({
    path: `applications[${index}].application_name`,
    message: `names the application ${key} again; applications[${first}] has this name and namespace`,
  }));
}

function repeatedServices(path: string, services: readonly [number, Fields][]): Violation[] {
  return repeated(services, (fields) => joined(fields.microservice_name, fields.microservice_namespace)).map(
    ({ index, first, key }) => ({
      path: `${path}.microservices[${index}].microservice_name`,
      message: `names the service ${key} again; microservices[${first}] has this name and namespace`,
    }),
  );
}

/** Two services that wish the same service address can never both have it. */
function repeatedAddresses(path: string, services: readonly [number, Fields][]): Violation[] {
  return (['rr_ip', 'rr_ip_v6'] as const).flatMap((field) =>
    repeated(services, (fields) => {
      const address = fieldsOf(fields.addresses)?.[field];
      return typeof address === 'string' && address !== '' ? address.toLowerCase() : undefined;
    }).map(({ index, first, key }) => ({
      path: `${path}.microservices[${index}].addresses.${field}`,
      message: `asks for the address ${key}, which microservices[${first}] asks for too`,
    })),
  );
}

/** root-api 5.3: `arch` lists one architecture per entry of `code`. */
function unikernelViolations(path: string, service: Fields): Violation[] {
  if (service.virtualization !== 'unikernel') return [];
  const architectures = service.arch;
  if (architectures === undefined || (Array.isArray(architectures) && architectures.length === 0)) {
    return [{ path: `${path}.arch`, message: 'is required for a unikernel, such as ["amd64"]' }];
  }
  if (!Array.isArray(architectures) || typeof service.code !== 'string') return [];
  const images = service.code.split(',').length;
  if (images === architectures.length) return [];
  const message = `must have one entry per image in code: ${architectures.length} for ${images}`;
  return [{ path: `${path}.arch`, message }];
}

function repeated(
  entries: readonly [number, Fields][],
  keyOf: (fields: Fields) => string | undefined,
): { index: number; first: number; key: string }[] {
  const seen = new Map<string, number>();
  const found: { index: number; first: number; key: string }[] = [];
  for (const [index, fields] of entries) {
    const key = keyOf(fields);
    if (key === undefined) continue;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else found.push({ index, first, key });
  }
  return found;
}

function joined(name: unknown, namespace: unknown): string | undefined {
  return typeof name === 'string' && typeof namespace === 'string' ? `${name}.${namespace}` : undefined;
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

function objects(value: unknown): [number, Fields][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item, index): [number, Fields][] => {
    const fields = fieldsOf(item);
    return fields === undefined ? [] : [[index, fields]];
  });
}
