import { readFile } from 'node:fs/promises';
import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net';
import { join } from 'node:path';
import { TLSSocket, connect as tlsConnect } from 'node:tls';
import type { RelayTarget } from '../system/system.ts';

/** What passed between worker and cluster so far, both directions together. */
export interface Traffic {
  /** MQTT before it is encrypted. */
  readonly payloadBytes: number;
  /** TLS records, as TCP carries them: handshakes of registrations included, headers of packets not. */
  readonly wireBytes: number;
}

/** Stands between a worker and its cluster and counts. */
export interface CountingRelay {
  readonly address: string;
  traffic(): Traffic;
  close(): Promise<void>;
}

const ADDRESS = '127.0.0.2';

/**
 * Listens on another loopback address at the ports of the cluster. The MQTT connection is decrypted and encrypted
 * again, with the certificates of both sides, so that its payload can be counted.
 */
export async function startCountingRelay(target: RelayTarget): Promise<CountingRelay> {
  const count = { payloadBytes: 0, wireBytes: 0 };
  const sockets = new Set<Socket>();
  const asCluster = await readIdentity(target.clusterTls);
  const asWorker = await readIdentity(target.workerTls);

  const connectBoth = (client: Socket, server: Socket, onData: (bytes: number) => void): void => {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (part: Buffer) => onData(part.length));
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  };
  const countWire = (raw: Socket): void => {
    let read = 0;
    let written = 0;
    const add = (): void => {
      count.wireBytes += raw.bytesRead - read + raw.bytesWritten - written;
      read = raw.bytesRead;
      written = raw.bytesWritten;
    };
    wires.add(add);
    raw.once('close', () => {
      add();
      wires.delete(add);
    });
  };
  const wires = new Set<() => void>();

  const mqtt = createServer({ noDelay: true }, (raw) => {
    countWire(raw);
    const client = new TLSSocket(raw, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: true,
      ...asCluster,
    });
    const server = tlsConnect({
      host: target.address,
      port: target.mqttPort,
      ...asWorker,
      checkServerIdentity: () => undefined,
    });
    connectBoth(client, server, (bytes) => {
      count.payloadBytes += bytes;
    });
  });
  const api = createServer({ noDelay: true }, (raw) => {
    countWire(raw);
    connectBoth(raw, tcpConnect({ host: target.address, port: target.apiPort }), () => {});
  });
  await listen(mqtt, target.mqttPort);
  await listen(api, target.apiPort);
  return {
    address: ADDRESS,
    traffic() {
      for (const add of wires) add();
      return { ...count };
    },
    async close() {
      const closed = [mqtt, api].map((server) => new Promise((resolve) => server.close(resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

async function readIdentity(directory: string) {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(join(directory, name), 'utf8')),
  );
  return { ca, cert, key } as { readonly ca: string; readonly cert: string; readonly key: string };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: ADDRESS, port }, resolve);
  });
}
