import { X509Certificate } from 'node:crypto';
import { join, resolve } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { type Clock, type Logger, systemDisk } from '@oakestra/daemon';
import {
  parseTlsIdentity,
  readTlsIdentity,
  type TlsIdentity,
  type TlsIdentityPaths,
} from '../tls-identity.ts';
import { type CertificateSubject, commonName } from './certificate-subject.ts';
import type { Authority } from './open-authority.ts';

export interface EnsureIdentityOptions extends CertificateSubject {
  readonly authority: Authority;
  /** Where `ca.pem`, `cert.pem` and `key.pem` are kept; created with mode 0700. */
  readonly directory: string;
  /** Lifetime of a new certificate. It is replaced when a third of this is left. */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where {@link ensureIdentity} keeps its files. */
export function identityPaths(directory: string): TlsIdentityPaths {
  return {
    caPath: join(directory, 'ca.pem'),
    certificatePath: join(directory, 'cert.pem'),
    keyPath: join(directory, 'key.pem'),
  };
}

/** Why a stored identity does not do any more; undefined when it does. */
function reasonToReissue(
  { caPem, certificatePem, identity, expiresAtMs }: TlsIdentity,
  options: EnsureIdentityOptions,
): string | undefined {
  const { authority, role, name, dnsNames, ipAddresses, lifetimeMs, clock } = options;
  const certificate = new X509Certificate(certificatePem);
  if (caPem !== authority.certificatePem) {
    return 'another authority issued it';
  }
  if (
    identity.role !== role ||
    identity.name !== name ||
    certificate.toLegacyObject().subject.CN !== commonName(options)
  ) {
    return 'it is for somebody else';
  }
  if (expiresAtMs - clock.nowMs() <= lifetimeMs / 3) {
    return 'it ends soon';
  }
  const isMissing =
    dnsNames.some((dnsName) => certificate.checkHost(dnsName, { subject: 'never' }) === undefined) ||
    ipAddresses.some((address) => certificate.checkIP(address) === undefined);
  return isMissing ? 'it lacks a name or an address' : undefined;
}

async function stateOf(
  paths: TlsIdentityPaths,
  options: EnsureIdentityOptions,
): Promise<TlsIdentity | string> {
  try {
    const stored = await readTlsIdentity(paths);
    return reasonToReissue(stored, options) ?? stored;
  } catch (error) {
    if (error instanceof OakestraError && error.kind === 'not-found') {
      return 'there was none';
    }
    // Half-written or damaged files are replaced: the authority is here to do so.
    if (error instanceof OakestraError && error.kind === 'invalid') {
      return error.message;
    }
    throw error;
  }
}

/**
 * The identity in `directory`, issued anew when it is absent, damaged, about to end, or does not cover what is
 * wanted. For daemons on the machine of the authority, as `oakestra up` starts them.
 */
export async function ensureIdentity(options: EnsureIdentityOptions): Promise<TlsIdentity> {
  const { authority, directory, lifetimeMs, logger, role, id, name, dnsNames, ipAddresses } = options;
  const folder = resolve(directory);
  const paths = identityPaths(folder);
  const state = await stateOf(paths, options);
  if (typeof state !== 'string') {
    return state;
  }
  const issued = await authority.issue({
    role,
    name,
    dnsNames,
    ipAddresses,
    lifetimeMs,
    ...(id === undefined ? {} : { id }),
  });
  const disk = systemDisk();
  await disk.ensureDirectory(folder, 0o700);
  // The key first: a certificate without its key would be found damaged, and so would every other mixture.
  await disk.replaceFile(paths.keyPath, Buffer.from(issued.privateKeyPem.reveal()), 0o600);
  await disk.replaceFile(paths.certificatePath, Buffer.from(issued.certificatePem), 0o600);
  await disk.replaceFile(paths.caPath, Buffer.from(authority.certificatePem), 0o600);
  const identity = parseTlsIdentity(
    { caPem: authority.certificatePem, certificatePem: issued.certificatePem, keyPem: issued.privateKeyPem },
    paths,
  );
  const expiresAt = new Date(identity.expiresAtMs).toISOString();
  logger.info('issued a certificate', { role, name, expiresAt, reason: state });
  return identity;
}
