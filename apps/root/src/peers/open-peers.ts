import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock, Logger } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import type { Leadership, Term } from '../leadership/index.ts';
import { type ClusterFront, createClusterFront } from './cluster-front.ts';
import { createForwarding, type Forwarding } from './forwarding.ts';
import { createPeerDoor, type PeerDoor } from './peer-door.ts';

/** What one of several roots has on top of one that is alone. */
export interface Peers extends Pick<Forwarding, 'before'>, Pick<PeerDoor, 'open'> {
  /** `host:port` where the others reach this one. */
  readonly address: string;
  readonly clusterPort: number;
  readonly clusters: Pick<ClusterFront, 'lead' | 'originOf' | 'take' | 'close'>;
  /** Asks nobody any more, and answers nobody. The connections of clusters are closed apart, after the goodbyes. */
  close(): Promise<void>;
}

export async function openPeers(options: {
  readonly settings: {
    readonly listen: string;
    readonly clusterPort: number;
    readonly peerPort: number;
    readonly advertise: string | undefined;
  };
  readonly leadership: Leadership<Term>;
  readonly tls: TlsIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<Peers> {
  const { settings, logger } = options;
  const { listen: host, advertise = reachableAddress(settings.listen) } = settings;
  const forwarding = createForwarding(options);
  const clusters = createClusterFront(options);
  const door = createPeerDoor({ tls: options.tls, logger, onCluster: clusters.accept });
  const port = await door.listen({ host, port: settings.peerPort });
  let clusterPort: number;
  try {
    clusterPort = await clusters.listen({ host, port: settings.clusterPort });
  } catch (error) {
    await door.close();
    throw error;
  }
  return {
    address: `${isIP(advertise) === 6 ? `[${advertise}]` : advertise}:${port}`,
    clusterPort,
    clusters,
    before: forwarding.before,
    open: door.open,
    async close() {
      await door.close();
      forwarding.stop();
    },
  };
}

/** Where we listen, or the first of our own addresses that others may reach. */
function reachableAddress(listen: string): string {
  if (listen !== '0.0.0.0' && listen !== '::') return listen;
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = own.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}
