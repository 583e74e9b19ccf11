import { readFile } from 'node:fs/promises';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import { openSecureProxy, type SecureProxy } from './secure-proxy.ts';

/**
 * Makes the proxy of the settings one that gRPC can use. Rejects `proxy-ca-unreadable`; whether the proxy is there shows
 * when it is used.
 */
export async function openRootProxy(options: {
  readonly url: string;
  /** Only for `https://`. */
  readonly caFile: string | undefined;
  readonly logger: Logger;
}): Promise<SecureProxy> {
  const { url, caFile, logger } = options;
  if (!/^https:/i.test(url)) return { url, close: async () => {} };
  let caPem: string | undefined;
  try {
    caPem = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
  } catch (cause) {
    const message = `root-proxy-ca-file: ${caFile} cannot be read (${messageOf(cause)}); check the path and the mode`;
    throw new OakestraError('invalid', 'proxy-ca-unreadable', message, { cause });
  }
  return openSecureProxy({ url, caPem, logger });
}
