import { resolve } from 'node:path';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import type { Clock, Logger, Random } from '@oakestra/daemon';
import { readAuthority, removeUnfinished, type StoredAuthority, writeAuthority } from './authority-files.ts';
import { type CertificateSubject, checkSubject } from './certificate-subject.ts';

const authorityYears = 20;
/** No clock that is right shows an earlier time than the first release. */
const defaultTimeFloorMs = Date.UTC(2026, 0, 1);

export interface CertificateRequest extends CertificateSubject {
  /** Time until the certificate ends, from now. It never outlives the authority. */
  readonly lifetimeMs: number;
}

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: Sensitive;
}

/** A certificate authority of one installation: EC P-256, in a folder of its own. */
export interface Authority {
  readonly certificatePem: string;
  /** SHA-256 of the certificate in DER form, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** A new key and a certificate for both ends of TLS. Fails with `certificate-subject-invalid`. */
  issue(request: CertificateRequest): Promise<IssuedCertificate>;
}

export interface OpenAuthorityOptions {
  /** A folder for the authority alone (`ca.pem`, `ca-key.pem`), created with mode 0700. */
  readonly directory: string;
  /** Subject of a new authority. */
  readonly commonName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * A time that has surely passed (build date, last persisted time), Unix milliseconds. Certificates are valid
   * from then on, so that peers whose clock is behind accept them. Default: 2026-01-01.
   */
  readonly timeFloorMs?: number;
}

function addYears(timeMs: number, years: number): number {
  const date = new Date(timeMs);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date.getTime();
}

async function createAuthority(directory: string, options: OpenAuthorityOptions): Promise<StoredAuthority> {
  const { commonName, clock, random, logger, timeFloorMs = defaultTimeFloorMs } = options;
  const { createAuthorityCertificate } = await import('./x509-issuer.ts');
  const validity = {
    notBeforeMs: timeFloorMs,
    notAfterMs: addYears(Math.max(clock.nowMs(), timeFloorMs), authorityYears),
  };
  const created = await createAuthorityCertificate(commonName, validity, random);
  const isOurs = await writeAuthority(directory, created, random);
  const stored = await readAuthority(directory);
  if (stored === undefined) {
    throw new OakestraError(
      'unavailable',
      'authority-gone',
      `The certificate authority in ${directory} was removed while it was being created. Start again.`,
    );
  }
  if (isOurs) {
    logger.info('created a certificate authority', { directory, fingerprint: fingerprintOf(stored) });
  }
  return stored;
}

function fingerprintOf({ certificate }: StoredAuthority): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/**
 * Opens the authority in `directory`, or creates one where there is none. Fails with `authority-damaged` when
 * files are missing or do not belong together: a new one is never made in place of another.
 */
export async function openAuthority(options: OpenAuthorityOptions): Promise<Authority> {
  const directory = resolve(options.directory);
  const { clock, random } = options;
  const stored = (await readAuthority(directory)) ?? (await createAuthority(directory, options));
  await removeUnfinished(directory);
  const { certificate, certificatePem, key } = stored;
  const notBeforeMs = Date.parse(certificate.validFrom);
  const authorityEndMs = Date.parse(certificate.validTo);

  return {
    certificatePem,
    fingerprint: fingerprintOf(stored),
    async issue({ lifetimeMs, ...subject }) {
      checkSubject(subject);
      const { issueCertificate } = await import('./x509-issuer.ts');
      const startMs = Math.max(clock.nowMs(), notBeforeMs, options.timeFloorMs ?? notBeforeMs);
      return issueCertificate({
        subject,
        validity: { notBeforeMs, notAfterMs: Math.min(startMs + lifetimeMs, authorityEndMs) },
        authorityPem: certificatePem,
        authorityKeyDer: new Sensitive<Uint8Array>(key.export({ type: 'pkcs8', format: 'der' })),
        random,
      });
    },
  };
}
