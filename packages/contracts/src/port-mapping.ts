export type PortProtocol = 'tcp' | 'udp';

/** One published port: traffic to `hostPort` of the machine goes to `containerPort` of the instance. */
export interface PortMapping {
  /** 1 to 65535. */
  readonly hostPort: number;
  /** 1 to 65535. */
  readonly containerPort: number;
  readonly protocol: PortProtocol;
}

/**
 * Reads `mapping[;mapping...]`, mapping = `host[:container][/tcp|/udp]` (root-api 5.5); empty text publishes nothing.
 * `faults` says of each wrong part why it is: ports outside 1 to 65535, other protocols, a host port that is named
 * twice.
 */
export function readPortMappings(text: string): {
  readonly mappings: readonly PortMapping[];
  readonly faults: readonly string[];
} {
  const mappings: PortMapping[] = [];
  const faults: string[] = [];
  const seen = new Map<string, string>();
  for (const part of splitParts(text)) {
    const result = parsePart(part);
    if (typeof result === 'string') {
      faults.push(`"${part}": ${result}`);
      continue;
    }
    const key = portKey(result);
    const other = seen.get(key);
    if (other !== undefined) {
      faults.push(`"${part}": host port ${key} is already mapped by "${other}"`);
      continue;
    }
    seen.set(key, part);
    mappings.push(result);
  }
  return { mappings, faults };
}

/** `8080/tcp`: what must be unique on one host. */
export function portKey(port: { readonly hostPort: number; readonly protocol: PortProtocol }): string {
  return `${port.hostPort}/${port.protocol}`;
}

/** One separator at the end is tolerated: clients build the text by appending. */
function splitParts(text: string): string[] {
  const trimmed = text.trim().replace(/;$/, '');
  return trimmed === '' ? [] : trimmed.split(';').map((part) => part.trim());
}

function parsePart(part: string): PortMapping | string {
  if (part === '') return 'is empty; expected host[:container][/tcp|/udp]';
  const [portsText = '', protocolText = 'tcp', ...moreProtocols] = part.split('/');
  const protocol = protocolText.toLowerCase();
  if (moreProtocols.length > 0 || (protocol !== 'tcp' && protocol !== 'udp')) {
    return 'protocol must be tcp or udp';
  }
  const [hostText = '', containerText = hostText, ...morePorts] = portsText.split(':');
  if (morePorts.length > 0) return 'has more than two port numbers; expected host[:container]';
  const hostPort = parsePort(hostText);
  if (hostPort === undefined) return portReason('host');
  const containerPort = parsePort(containerText);
  if (containerPort === undefined) return portReason('container');
  return { hostPort, containerPort, protocol };
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function portReason(which: 'host' | 'container'): string {
  return `${which} port must be a number from 1 to 65535`;
}
