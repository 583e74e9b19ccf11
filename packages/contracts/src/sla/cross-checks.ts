import type { Violation } from '../errors.ts';
import { globalModeViolations } from './global-mode.ts';
import { sealedReferenceViolations } from './sealed-objects.ts';
import { canonicalServiceAddressV4, canonicalServiceAddressV6 } from './service-address.ts';
import { unikernelViolations } from './unikernel.ts';

/*
 * Rules that concern more than one field. They look at the document as it came, because they must also speak
 * when another field is wrong: the author wants to see everything at once.
 */

type Fields = Readonly<Record<string, unknown>>;

/** A part of the document with its place. */
interface Placed {
  readonly path: string;
  readonly fields: Fields;
}

export function crossViolations(input: unknown): Violation[] {
  const applications = placed('applications', fieldsOf(input)?.applications);
  const servicesByApplication = applications.map(({ path, fields }) =>
    placed(`${path}.microservices`, fields.microservices),
  );
  const services = servicesByApplication.flat();
  return [
    ...repeatedNames('application', applications),
    ...servicesByApplication.flatMap((siblings) => repeatedNames('microservice', siblings)),
    ...repeatedAddresses(services),
    ...services.flatMap(({ path, fields }) => [
      ...unikernelViolations(path, fields),
      ...globalModeViolations(path, fields),
      ...sealedReferenceViolations(path, fields),
      ...repeatedMounts(placed(`${path}.volumes`, fields.volumes)),
    ]),
  ];
}

/** Name and namespace together are unique among siblings: they become parts of the full service name. */
function repeatedNames(kind: 'application' | 'microservice', siblings: readonly Placed[]): Violation[] {
  const word = kind === 'application' ? 'application' : 'service';
  return repeated(siblings, (fields) => joined(fields[`${kind}_name`], fields[`${kind}_namespace`])).map(
    ({ path, first, key }) => ({
      path: `${path}.${kind}_name`,
      message: `names the ${word} ${key} again; ${first} has this name and namespace`,
    }),
  );
}

const CANONICAL = { rr_ip: canonicalServiceAddressV4, rr_ip_v6: canonicalServiceAddressV6 } as const;

/** Two services that wish the same service address can never both have it, however it is spelled. */
function repeatedAddresses(services: readonly Placed[]): Violation[] {
  return (['rr_ip', 'rr_ip_v6'] as const).flatMap((field) =>
    repeated(services, ({ addresses }) => {
      const address = fieldsOf(addresses)?.[field];
      return typeof address === 'string' ? CANONICAL[field](address) : undefined;
    }).map(({ path, first, key }) => ({
      path: `${path}.addresses.${field}`,
      message: `asks for the address ${key}, which ${first} asks for too`,
    })),
  );
}

/** One place of a container shows one volume. */
function repeatedMounts(volumes: readonly Placed[]): Violation[] {
  return repeated(volumes, ({ mount_path: mountPath }) =>
    typeof mountPath === 'string' && mountPath !== ''
      ? mountPath.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
      : undefined,
  ).map(({ path, first, key }) => ({
    path: `${path}.mount_path`,
    message: `mounts at ${JSON.stringify(key.slice(0, 60))}, where ${first} is mounted already`,
  }));
}

function repeated(
  parts: readonly Placed[],
  keyOf: (fields: Fields) => string | undefined,
): { path: string; first: string; key: string }[] {
  const seen = new Map<string, string>();
  const found: { path: string; first: string; key: string }[] = [];
  for (const { path, fields } of parts) {
    const key = keyOf(fields);
    if (key === undefined) continue;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, path);
    else found.push({ path, first, key });
  }
  return found;
}

function joined(name: unknown, namespace: unknown): string | undefined {
  const areTexts = typeof name === 'string' && typeof namespace === 'string';
  return areTexts ? `${name.slice(0, 60)}.${namespace.slice(0, 60)}` : undefined;
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

function placed(path: string, value: unknown): Placed[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item, index): Placed[] => {
    const fields = fieldsOf(item);
    return fields === undefined ? [] : [{ path: `${path}[${index}]`, fields }];
  });
}
