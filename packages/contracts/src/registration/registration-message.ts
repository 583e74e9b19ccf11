import { isIP } from 'node:net';
import { OakestraError, type Violation } from '../errors.ts';
import { Sensitive } from '../sensitive.ts';
import type { CS2Message } from './registration.gen.ts';

/** What a cluster says when it registers. */
export interface ClusterRegistration {
  readonly clusterName: string;
  /** `<latitude>,<longitude>,<radius>` or any text; `location-unknown` when the cluster does not say. */
  readonly clusterLocation: string;
  /** Port of the cluster's API (default 10100). */
  readonly managerPort: number;
  /** Port of the cluster's network component (default 10110). */
  readonly networkComponentPort: number;
  readonly clusterInfo: Readonly<Record<string, string>>;
  /** IP address or host name under which the cluster wants to be reached; otherwise the address of the call counts. */
  readonly advertisedAddress: string | undefined;
  /** Proof that the cluster may join. */
  readonly token: Sensitive | undefined;
}

/** What a cluster says first; old roots and ours only log it. */
export interface ClusterGreeting {
  readonly clusterName: string | undefined;
  readonly location: string | undefined;
}

export const UNKNOWN_LOCATION = 'location-unknown';
const DEFAULT_MANAGER_PORT = 10_100;
const DEFAULT_NETWORK_PORT = 10_110;
const HOST_NAME =
  /^(?=.{1,253}$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*\.?$/i;

/** Reads a registration. Missing values get their default (Q40); only a missing name cannot be made good. */
export function readRegistration(message: CS2Message): ClusterRegistration {
  const violations: Violation[] = [];
  const clusterName = message.clusterName.trim();
  if (clusterName === '')
    violations.push({ path: 'cluster_name', message: 'is empty: set CLUSTER_NAME at the cluster' });
  const port = (path: string, value: number, fallback: number): number => {
    if (value < 0 || value > 65_535) violations.push({ path, message: `${value} is no port (1 to 65535)` });
    return value === 0 ? fallback : value;
  };
  const managerPort = port('manager_port', message.managerPort, DEFAULT_MANAGER_PORT);
  const networkComponentPort = port(
    'network_component_port',
    message.networkComponentPort,
    DEFAULT_NETWORK_PORT,
  );
  const advertised = message.clusterIp.trim().replace(/^\[(.*)\]$/, '$1');
  if (advertised !== '' && isIP(advertised) === 0 && !HOST_NAME.test(advertised)) {
    violations.push({ path: 'cluster_ip', message: 'is neither an IP address nor a host name' });
  }
  if (violations.length > 0) {
    const text = violations.map((violation) => `${violation.path} ${violation.message}`).join('; ');
    throw new OakestraError('invalid', 'registration-invalid', `the registration is invalid: ${text}`, {
      violations,
    });
  }
  const info = message.clusterInfo
    .filter((entry) => entry.key !== '')
    .map((entry) => [entry.key, entry.value]);
  return {
    clusterName,
    clusterLocation: message.clusterLocation.trim() || UNKNOWN_LOCATION,
    managerPort,
    networkComponentPort,
    clusterInfo: Object.fromEntries(info) as Record<string, string>,
    advertisedAddress: advertised === '' ? undefined : advertised,
    token: message.token === '' ? undefined : new Sensitive(message.token),
  };
}

/** Writes a registration so that old roots take it too: exactly one empty entry when there is no information. */
export function writeRegistration(registration: ClusterRegistration): CS2Message {
  const entries = Object.entries(registration.clusterInfo).map(([key, value]) => ({ key, value }));
  return {
    managerPort: registration.managerPort,
    networkComponentPort: registration.networkComponentPort,
    clusterName: registration.clusterName,
    clusterInfo: entries.length > 0 ? entries : [{ key: '', value: '' }],
    clusterLocation: registration.clusterLocation,
    clusterIp: registration.advertisedAddress ?? '',
    token: registration.token?.reveal() ?? '',
  };
}

/** Reads a greeting; text that is not the expected JSON is no error, its content does not matter. */
export function readGreeting(text: string): ClusterGreeting {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const fields = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const textOf = (field: unknown): string | undefined => (typeof field === 'string' ? field : undefined);
  return { clusterName: textOf(fields.cluster_name), location: textOf(fields.location) };
}

export function writeGreeting(greeting: ClusterGreeting): string {
  return JSON.stringify({
    cluster_name: greeting.clusterName ?? '',
    location: greeting.location ?? UNKNOWN_LOCATION,
  });
}
