import { type AddressInfo, createServer, isIP, type Socket } from 'node:net';
import { connect, rootCertificates } from 'node:tls';
import type { Logger } from '@oakestra/daemon';

export interface SecureProxyOptions {
  /** `https://user:password@host:port`. */
  readonly url: string;
  /** Certificates (PEM) that are trusted beside those of the system; default: none. */
  readonly caPem: string | undefined;
  readonly logger: Logger;
}

/** The way to an HTTP proxy that is itself spoken to over TLS. */
export interface SecureProxy {
  /** What to use in its place: a plain proxy on this machine, with the same credentials. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * gRPC knows plain proxies only. What it sends to one on this machine leaves it encrypted, and only to a proxy whose
 * certificate is trusted. Others on this machine could use the same way, but bring no credentials of ours.
 */
export async function openSecureProxy({ url, caPem, logger }: SecureProxyOptions): Promise<SecureProxy> {
  const proxy = new URL(url);
  const host = proxy.hostname.replace(/^\[|\]$/g, '');
  const target = {
    host,
    port: Number(proxy.port || 443),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(caPem === undefined ? {} : { ca: [...rootCertificates, caPem] }),
  };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (local) => {
    const remote = connect(target);
    for (const socket of [local, remote]) {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        local.destroy();
        remote.destroy();
      });
    }
    local.on('error', () => {});
    remote.on('error', ({ message: reason }) => logger.warn('the proxy cannot be reached', { host, reason }));
    // Nothing leaves before the certificate was checked.
    remote.once('secureConnect', () => {
      remote.setNoDelay(true);
      local.pipe(remote);
      remote.pipe(local);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const local = new URL(url.replace(/^https:/i, 'http:'));
  local.hostname = '127.0.0.1';
  local.port = String((server.address() as AddressInfo).port);
  return {
    url: local.href,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
