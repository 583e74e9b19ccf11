/** One published port of a service (root-api 5.5, network 10.3). */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

export type PortMappings =
  | { readonly ok: true; readonly mappings: readonly PortMapping[] }
  | { readonly ok: false; readonly reason: string };

const MAPPING = /^(\d{1,5})(?::(\d{1,5}))?(?:\/(tcp|udp))?$/;
const FORM = 'host[:container][/tcp|/udp]';

/**
 * Parses `"80"`, `"6080:80/tcp"` or `"80:80/tcp;90:100/udp"`; empty text publishes nothing. Ports are 1 to 65535,
 * and a host port may be taken once per protocol.
 */
export function parsePortMappings(text: string): PortMappings {
  if (text === '') return { ok: true, mappings: [] };
  const mappings: PortMapping[] = [];
  for (const entry of text.split(';')) {
    const mapping = parseMapping(entry);
    if (typeof mapping === 'string') return { ok: false, reason: mapping };
    const isTaken = mappings.some((m) => m.hostPort === mapping.hostPort && m.protocol === mapping.protocol);
    if (isTaken) {
      return { ok: false, reason: `publishes host port ${mapping.hostPort}/${mapping.protocol} twice` };
    }
    mappings.push(mapping);
  }
  return { ok: true, mappings };
}

function parseMapping(entry: string): PortMapping | string {
  const match = MAPPING.exec(entry);
  if (match === null) {
    return `must be mappings of the form ${FORM}, separated by ";" and without spaces; "${entry}" is none`;
  }
  const hostPort = Number(match[1]);
  const containerPort = match[2] === undefined ? hostPort : Number(match[2]);
  for (const port of [hostPort, containerPort]) {
    if (port < 1 || port > 65_535) return `must use ports from 1 to 65535; ${port} is none`;
  }
  return { hostPort, containerPort, protocol: match[3] === 'udp' ? 'udp' : 'tcp' };
}
