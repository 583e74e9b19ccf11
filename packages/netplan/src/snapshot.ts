import type { PortMapping } from '@oakestra/contracts/port-mapping';
import type { ForeignChain } from './foreign-firewall.ts';

/** What the kernel has now, as far as it is ours or in our way. */
export interface CurrentNetwork {
  readonly bridge?: { readonly cidrs: readonly string[]; readonly isUp: boolean; readonly mtu: number };
  /** Values by name with slashes (`net/ipv4/ip_forward`); a missing one is unknown. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly namespaces: readonly CurrentNamespace[];
  readonly interfaces: readonly CurrentInterface[];
  /** Ports that our table publishes; undefined when there is no table. */
  readonly published?: readonly PublishedPort[];
  readonly foreignChains: readonly ForeignChain[];
}

/** A network namespace with a name of ours. */
export interface CurrentNamespace {
  readonly name: string;
  /** Does a process live in it? Then it belongs to somebody, known or not. */
  readonly isInUse: boolean;
}

/** A cable of ours on the host's side. */
export interface CurrentInterface {
  readonly name: string;
  /** The bridge that it is plugged into. */
  readonly bridge?: string;
  /** What its alias says; undefined when it cannot be read. */
  readonly label?: InterfaceLabel;
}

export interface PublishedPort extends PortMapping {
  readonly address: string;
}

/** Whose cable it is. */
export interface InterfaceLabel {
  readonly instanceId: string;
  readonly namespace: string;
  readonly address: string;
}

/** The kernel keeps at most 255 bytes. */
const LONGEST_ALIAS = 255;

/**
 * The alias of an interface that says whose it is: printable and without quotes, whatever the id. An id that does
 * not fit is cut: the namespace still tells.
 */
export function formatInterfaceLabel(label: InterfaceLabel): string {
  const head = `oakestra ${label.namespace} ${label.address} `;
  const id = encodeURIComponent(label.instanceId).replaceAll("'", '%27');
  return head + id.slice(0, LONGEST_ALIAS - head.length);
}

export function parseInterfaceLabel(alias: string): InterfaceLabel | undefined {
  const match = /^oakestra (\S+) (\d+\.\d+\.\d+\.\d+) (\S+)$/.exec(alias);
  if (match === null) return undefined;
  const [, namespace = '', address = '', encodedId = ''] = match;
  return { namespace, address, instanceId: decodeId(encodedId) };
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // It was cut in the middle of a character.
    return text;
  }
}
