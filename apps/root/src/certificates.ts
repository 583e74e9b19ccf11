import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import type { Clock, Logger, Random } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { type Authority, ensureIdentity, openAuthority } from '@oakestra/pki/authority';

/** Every certificate of a root carries this name, so that clusters know it at whatever address. */
const ROOT_SERVER_NAME = 'root.oakestra.internal';
const YEAR_MS = 365 * 24 * 3600 * 1000;

export interface RootCertificates {
  readonly authority: Authority;
  readonly tls: TlsIdentity;
  /** The authority was made by this start. */
  readonly isNew: boolean;
}

/**
 * The authority of the installation and the root's own certificate; both are created at the first start. A further
 * name that no certificate can carry is refused with `certificate-name-invalid`.
 */
export async function openRootCertificates(options: {
  readonly stateDirectory: string;
  readonly furtherNames: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}): Promise<RootCertificates> {
  const { stateDirectory, furtherNames, clock, random, logger } = options;
  for (const name of furtherNames) {
    if (isIP(name) !== 0 || isDnsName(name)) continue;
    const text = `certificate-names: "${name}" is neither a host name nor an address; correct it or leave it out`;
    throw new OakestraError('invalid', 'certificate-name-invalid', text);
  }
  const directory = join(stateDirectory, 'authority');
  const isNew = !existsSync(directory);
  const authority = await openAuthority({
    directory,
    commonName: 'Oakestra',
    clock,
    random,
    logger,
  });
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map((entry) => entry.address) ?? []);
  const names = [...furtherNames, 'localhost', '127.0.0.1', '::1'];
  const stable = own.filter((address) => !address.startsWith('fe80:'));
  const tls = await ensureIdentity({
    authority,
    directory: join(stateDirectory, 'tls'),
    role: 'root',
    id: 'root',
    name: 'root',
    // A host may have a name that is none in DNS.
    dnsNames: [
      ...new Set([ROOT_SERVER_NAME, hostname(), ...names.filter((name) => isIP(name) === 0)]),
    ].filter(isDnsName),
    ipAddresses: [...new Set([...names, ...stable].filter((name) => isIP(name) !== 0))],
    lifetimeMs: YEAR_MS,
    clock,
    logger,
  });
  return { authority, tls, isNew };
}

function isDnsName(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(name);
}
