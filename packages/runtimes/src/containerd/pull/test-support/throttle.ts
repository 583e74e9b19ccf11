import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

/** A slow link to a server on this host. */
export interface Throttle {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** Bytes that came through from the server so far. */
  readonly passedBytes: number;
  bytesPerSecond: number;
  /** Resolves when so many bytes have come through. */
  passed(bytes: number): Promise<void>;
  close(): Promise<void>;
}

const TICK_MS = 10;

export async function startThrottle(targetPort: number, bytesPerSecond: number): Promise<Throttle> {
  const sockets = new Set<Socket>();
  let passedBytes = 0;
  const waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];
  const count = (bytes: number): void => {
    passedBytes += bytes;
    for (const { bytes: wanted, resolve } of waiting) if (passedBytes >= wanted) resolve();
  };

  const server = createServer((client) => {
    const upstream = createConnection({ port: targetPort, host: '127.0.0.1' });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      client.write(chunk);
      count(chunk.length);
      upstream.pause();
      setTimeout(() => upstream.resume(), Math.max(TICK_MS, (chunk.length / throttle.bytesPerSecond) * 1000));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const throttle: Throttle = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytesPerSecond,
    get passedBytes() {
      return passedBytes;
    },
    passed: (bytes) =>
      new Promise((resolve) => {
        waiting.push({ bytes, resolve });
        count(0);
      }),
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
  return throttle;
}
