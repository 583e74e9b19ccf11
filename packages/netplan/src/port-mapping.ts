import { OakestraError, type Violation } from '@oakestra/contracts';

export type PortProtocol = 'tcp' | 'udp';

/** One published port: traffic to `hostPort` of the machine goes to `containerPort` of the instance. */
export interface PortMapping {
  /** 1 to 65535. */
  readonly hostPort: number;
  /** 1 to 65535. */
  readonly containerPort: number;
  readonly protocol: PortProtocol;
}

/** Two owners that want the same port of one host. */
export interface PortConflict {
  readonly hostPort: number;
  readonly protocol: PortProtocol;
  readonly owners: readonly [string, string];
}

/**
 * Parses `mapping[;mapping...]`, mapping = `host[:container][/tcp|/udp]` (root-api 5.5). An empty text is an empty
 * list. Throws `invalid-port-mapping` with one violation for each wrong part; ports outside 1 to 65535, other
 * protocols and a host port that is named twice are wrong.
 */
export function parsePortMappings(text: string, path = 'port'): PortMapping[] {
  const mappings: PortMapping[] = [];
  const violations: Violation[] = [];
  const seen = new Map<string, string>();
  for (const part of splitParts(text)) {
    const result = parsePart(part);
    if (typeof result === 'string') {
      violations.push({ path, message: `"${part}": ${result}` });
      continue;
    }
    const key = portKey(result);
    const other = seen.get(key);
    if (other !== undefined) {
      violations.push({ path, message: `"${part}": host port ${key} is already mapped by "${other}"` });
      continue;
    }
    seen.set(key, part);
    mappings.push(result);
  }
  if (violations.length > 0) {
    const reasons = violations.map((violation) => violation.message).join('; ');
    throw new OakestraError('invalid', 'invalid-port-mapping', `${path}: ${reasons}`, { violations });
  }
  return mappings;
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
    return `protocol must be tcp or udp, not "${[protocolText, ...moreProtocols].join('/')}"`;
  }
  const [hostText = '', containerText = hostText, ...morePorts] = portsText.split(':');
  if (morePorts.length > 0) return 'has more than two port numbers; expected host[:container]';
  const hostPort = parsePort(hostText);
  if (hostPort === undefined) return portReason('host', hostText);
  const containerPort = parsePort(containerText);
  if (containerPort === undefined) return portReason('container', containerText);
  return { hostPort, containerPort, protocol };
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function portReason(which: 'host' | 'container', text: string): string {
  return `${which} port must be a number from 1 to 65535, not "${text}"`;
}

/** The text that parses to `mappings`, each part written out in full. */
export function formatPortMappings(mappings: readonly PortMapping[]): string {
  return mappings.map((m) => `${m.hostPort}:${m.containerPort}/${m.protocol}`).join(';');
}

/** `8080/tcp`: what must be unique on one host. */
export function portKey(port: { readonly hostPort: number; readonly protocol: PortProtocol }): string {
  return `${port.hostPort}/${port.protocol}`;
}

/** Every port that a later owner wants although an earlier one has it. */
export function findPortConflicts(
  owners: readonly { readonly id: string; readonly ports: readonly PortMapping[] }[],
): PortConflict[] {
  const holders = new Map<string, string>();
  const conflicts: PortConflict[] = [];
  for (const owner of owners) {
    for (const { hostPort, protocol } of owner.ports) {
      const key = portKey({ hostPort, protocol });
      const holder = holders.get(key);
      if (holder === undefined) holders.set(key, owner.id);
      else conflicts.push({ hostPort, protocol, owners: [holder, owner.id] });
    }
  }
  return conflicts;
}
