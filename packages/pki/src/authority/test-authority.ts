import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type LogFields, type Logger, systemClock, systemRandom } from '@oakestra/daemon';
import { parseTlsIdentity, type TlsIdentity } from '../tls-identity.ts';
import { identityPaths } from './ensure-identity.ts';
import { type Authority, type CertificateRequest, openAuthority } from './open-authority.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export interface LogLine {
  readonly message: string;
  readonly fields: LogFields;
}

export function recordingLogger(lines: LogLine[] = []): Logger {
  const record = (message: string, fields: LogFields = {}): void => {
    lines.push({ message, fields });
  };
  const logger: Logger = { debug: record, info: record, warn: record, error: record, child: () => logger };
  return logger;
}

/** A folder that `remove` deletes with all that is in it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'oakestra-pki-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function openTestAuthority(
  directory: string,
  options: { readonly clock?: Clock; readonly logger?: Logger; readonly timeFloorMs?: number } = {},
): Promise<Authority> {
  return openAuthority({
    directory,
    commonName: 'Oakestra test',
    clock: systemClock(),
    random: systemRandom(),
    logger: recordingLogger(),
    ...options,
  });
}

/** A certificate request with defaults for everything that a test does not care about. */
export function requestFor(request: Partial<CertificateRequest>): CertificateRequest {
  return { role: 'worker', name: 'edge-1', dnsNames: [], ipAddresses: [], lifetimeMs: dayMs, ...request };
}

/** Issues an identity as a daemon would have it after reading its files. */
export async function identityOf(
  authority: Authority,
  request: Partial<CertificateRequest>,
): Promise<TlsIdentity> {
  const { certificatePem, privateKeyPem } = await authority.issue(requestFor(request));
  const pems = { caPem: authority.certificatePem, certificatePem, keyPem: privateKeyPem };
  return parseTlsIdentity(pems, identityPaths('test'));
}
