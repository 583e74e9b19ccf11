import { isIP } from 'node:net';
import type { Sensitive } from '@oakestra/contracts';
import { imageError } from './image-errors.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: Sensitive;
}

/** How one registry is reached. */
export interface RegistrySettings {
  /** Talk HTTP without TLS. Default: only to loopback addresses, and there unless `caPem` is set. */
  readonly plainHttp?: boolean;
  /** Certificates that may have signed the registry's, beside the publicly known ones. */
  readonly caPem?: string;
  /** Hosts (`mirror.example:5000`) that are asked first, in this order; each has settings of its own. */
  readonly mirrors?: readonly string[];
  /** Sent to this host and to the token service that it names, to nobody else. */
  readonly credentials?: RegistryCredentials;
}

/** By host, with port where image names have one: `docker.io`, `registry.example:5000`. */
export type Registries = Readonly<Record<string, RegistrySettings>>;

/** One address at which the content of a repository may be found. */
export interface RegistryEndpoint {
  /** The name under which the settings are found. */
  readonly host: string;
  readonly baseUrl: URL;
  readonly isMirror: boolean;
  readonly credentials?: RegistryCredentials;
}

/** Docker's name for its registry is not the host that serves it. */
const SERVED_BY: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/**
 * Where to ask for the images of `registry`: mirrors first, then the registry itself. `credentials` of a single
 * request win over those of the settings, and like those never reach a mirror.
 */
export function registryEndpoints(
  registry: string,
  registries: Registries,
  credentials?: RegistryCredentials,
): readonly RegistryEndpoint[] {
  const settings = settingsOf(registry, registries);
  const mirrors = (settings.mirrors ?? []).map((host) => endpoint(host, registries, { isMirror: true }));
  return [...mirrors, endpoint(registry, registries, { isMirror: false, credentials })];
}

/** May this address be spoken to without TLS? */
export function allowsPlainHttp(host: string, registries: Registries): boolean {
  return settingsOf(host, registries).plainHttp ?? isLoopbackHost(host);
}

/** `localhost`, `127.0.0.0/8`, `[::1]`, with or without port. */
export function isLoopbackHost(host: string): boolean {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : (host.split(':', 1)[0] ?? '');
  if (name.toLowerCase() === 'localhost') return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return isIP(name) === 6 && new URL(`http://[${name}]/`).hostname === '[::1]';
}

export function settingsOf(host: string, registries: Registries): RegistrySettings {
  return Object.hasOwn(registries, host) ? (registries[host] ?? {}) : {};
}

/** What users write: the worker's setting `registries`, from which these settings are made. */
type WrittenSetting = 'plainHttp' | 'caFile' | 'username';

/** The path of a setting as error messages name it. */
export function settingName(host: string, written: WrittenSetting): string {
  return `registries.${host}.${written}`;
}

function endpoint(
  host: string,
  registries: Registries,
  options: { readonly isMirror: boolean; readonly credentials?: RegistryCredentials | undefined },
): RegistryEndpoint {
  const settings = settingsOf(host, registries);
  const isPlain = settings.plainHttp ?? (isLoopbackHost(host) && settings.caPem === undefined);
  const credentials = options.credentials ?? settings.credentials;
  return {
    host,
    baseUrl: parseBase(`${isPlain ? 'http' : 'https'}://${SERVED_BY[host] ?? host}/`, host),
    isMirror: options.isMirror,
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function parseBase(text: string, host: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.pathname === '/' && url.search === '' && url.username === '') return url;
  throw imageError(
    'registry-settings-invalid',
    `The registry or mirror "${host}" is no host name with an optional port; write it like "mirror.example:5000"`,
  );
}
