import { type ClientHttp2Session, connect } from 'node:http2';
import { createConnection } from 'node:net';

/** Asks containerd whether a snapshot exists: one small request on a connection that stays open. */
export interface SnapshotProbe {
  exists(key: string): Promise<boolean>;
  close(): void;
}

const SNAPSHOTTER = 'overlayfs';
const NOT_FOUND = '5';

export function openSnapshotProbe(options: {
  readonly address: string;
  readonly namespace: string;
}): SnapshotProbe {
  const session: ClientHttp2Session = connect('http://localhost', {
    createConnection: () => createConnection(options.address),
  });
  // A request that fails says so itself.
  session.on('error', () => {});
  return {
    exists: (key) =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/containerd.services.snapshots.v1.Snapshots/Stat',
          'content-type': 'application/grpc',
          te: 'trailers',
          'containerd-namespace': options.namespace,
        });
        let status: unknown;
        stream.on('response', (headers) => {
          status ??= headers['grpc-status'];
        });
        stream.on('trailers', (trailers) => {
          status ??= trailers['grpc-status'];
        });
        stream.on('error', reject);
        stream.on('close', () => {
          if (status === '0') resolve(true);
          else if (status === NOT_FOUND) resolve(false);
          else reject(new Error(`containerd answered with status ${String(status)}`));
        });
        stream.resume();
        stream.end(statRequest(key));
      }),
    close: () => session.destroy(),
  };
}

/** `StatSnapshotRequest` with its five bytes of framing; the texts are short, so every length is one byte. */
function statRequest(key: string): Buffer {
  const field = (number: number, text: string): Buffer => {
    const bytes = Buffer.from(text);
    if (bytes.length > 127) throw new RangeError(`"${text}" is too long for one byte of length`);
    return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  };
  const message = Buffer.concat([field(1, SNAPSHOTTER), field(2, key)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
