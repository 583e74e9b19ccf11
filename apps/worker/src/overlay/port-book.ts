import { OakestraError } from '@oakestra/contracts';
import { findSocketHolder, type ListeningSocket, type SocketHolder } from '@oakestra/host';
import { type PortMapping, type PortProtocol, portKey } from '@oakestra/netplan';

/** Who has a port of this host. */
export type PortHolder =
  | { readonly kind: 'instance'; readonly instanceId: string }
  /** A program of the host; undefined when it cannot be found out which. */
  | { readonly kind: 'program'; readonly program: SocketHolder | undefined };

/** Which ports of the host belong to which instance. Reserving is immediate, so that two cannot win. */
export interface PortBook {
  /** Reserves all or none; fails with `port-taken` when another instance has one of them. */
  reserve(instanceId: string, ports: readonly PortMapping[]): void;
  release(instanceId: string): void;
  /** Forgets everything and starts with these. */
  reset(owners: readonly { readonly id: string; readonly ports: readonly PortMapping[] }[]): void;
  /** The instance that has the port. */
  ownerOf(port: number, protocol: PortProtocol): string | undefined;
}

export function createPortBook(): PortBook {
  const owners = new Map<string, string>();
  const release = (instanceId: string) => {
    for (const [key, owner] of owners) if (owner === instanceId) owners.delete(key);
  };
  const enter = (instanceId: string, ports: readonly PortMapping[]) => {
    for (const port of ports) owners.set(portKey(port), instanceId);
  };
  return {
    reserve(instanceId, ports) {
      for (const port of ports) {
        const owner = owners.get(portKey(port));
        if (owner !== undefined && owner !== instanceId) {
          throw portTaken(port, { kind: 'instance', instanceId: owner });
        }
      }
      release(instanceId);
      enter(instanceId, ports);
    },
    release,
    reset(list) {
      owners.clear();
      for (const { id, ports } of list) enter(id, ports);
    },
    ownerOf: (port, protocol) => owners.get(portKey({ hostPort: port, protocol })),
  };
}

/** The error for a port that somebody else has. */
function portTaken(
  { hostPort, protocol }: { readonly hostPort: number; readonly protocol: PortProtocol },
  holder: PortHolder,
): OakestraError {
  return new OakestraError(
    'conflict',
    'port-taken',
    `port ${hostPort}/${protocol} of this host is taken by ${describeHolder(holder)}; ` +
      'choose another host port, or free this one',
    { details: { port: hostPort, protocol, holder } },
  );
}

function describeHolder(holder: PortHolder): string {
  if (holder.kind === 'instance') return `the instance ${holder.instanceId}`;
  const { program } = holder;
  return program === undefined
    ? 'a program outside our reach'
    : `the program "${program.program}" (process ${program.pid})`;
}

/** A way to ask which sockets wait on this host. */
export type ReadSockets = (protocol: PortProtocol) => Promise<readonly ListeningSocket[]>;

/** The program of the host that waits on the port, if one does. */
export async function findProgram(
  port: number,
  protocol: PortProtocol,
  readSockets: ReadSockets,
): Promise<PortHolder | undefined> {
  const socket = (await readSockets(protocol)).find((candidate) => candidate.port === port);
  if (socket === undefined) return undefined;
  return { kind: 'program', program: await findSocketHolder(socket.inode) };
}

/** Fails with `port-taken` when a program of the host waits on one of the ports: it would lose its traffic. */
export async function requireNoProgram(
  ports: readonly PortMapping[],
  readSockets: ReadSockets,
): Promise<void> {
  for (const protocol of new Set(ports.map((port) => port.protocol))) {
    const sockets = await readSockets(protocol);
    for (const port of ports) {
      const socket = sockets.find((one) => port.protocol === protocol && one.port === port.hostPort);
      if (socket === undefined) continue;
      throw portTaken(port, { kind: 'program', program: await findSocketHolder(socket.inode) });
    }
  }
}
