import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger, systemClock, systemRandom } from '@oakestra/daemon';
import type { PeerRole } from '@oakestra/pki';
import { identityPaths, openAuthority } from '@oakestra/pki/authority';

/** Longer than any test, shorter than anything that should surprise. */
const LIFETIME_MS = 24 * 60 * 60 * 1000;

export interface IdentityRequest {
  readonly role: PeerRole;
  /** Unique per role. */
  readonly name: string;
  readonly id?: string;
  /** Default: `localhost`. */
  readonly dnsNames?: readonly string[];
  /** Default: 127.0.0.1. */
  readonly ipAddresses?: readonly string[];
  /** Default a day. */
  readonly lifetimeMs?: number;
}

/** Paths of PEM files. */
export interface IdentityFiles {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** A certificate authority for one test, with the product's own rules. */
export interface TestAuthority {
  readonly caFile: string;
  readonly caPem: string;
  /** SHA-256 of its certificate, hexadecimal. */
  readonly fingerprint: string;
  /** A new identity as files in a folder of its own. The key has mode 0600. */
  issue(request: IdentityRequest): Promise<IdentityFiles>;
}

/** Opens or creates the authority in `directory`/authority; identities go beside it. */
export async function openTestAuthority({
  directory,
}: {
  readonly directory: string;
}): Promise<TestAuthority> {
  const authority = await openAuthority({
    directory: join(directory, 'authority'),
    commonName: 'Oakestra testbed',
    clock: systemClock(),
    random: systemRandom(),
    logger: createLogger({ level: 'error' }),
  });
  const caFile = join(directory, 'authority', 'ca.pem');
  return {
    caFile,
    caPem: authority.certificatePem,
    fingerprint: authority.fingerprint,
    async issue({ dnsNames = ['localhost'], ipAddresses = ['127.0.0.1'], lifetimeMs = LIFETIME_MS, ...who }) {
      const issued = await authority.issue({ ...who, dnsNames, ipAddresses, lifetimeMs });
      const folder = join(directory, `${who.role}-${who.name.replaceAll(/[^\w.-]/g, '_')}`);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { caPath, certificatePath, keyPath } = identityPaths(folder);
      await writeFile(caPath, authority.certificatePem);
      await writeFile(certificatePath, issued.certificatePem);
      await writeFile(keyPath, issued.privateKeyPem.reveal(), { mode: 0o600 });
      return { caFile: caPath, certificateFile: certificatePath, keyFile: keyPath };
    },
  };
}
