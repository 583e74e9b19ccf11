import { X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { peerIdentity } from '../peer-identity.ts';
import {
  dayMs,
  hourMs,
  type LogLine,
  openTestAuthority,
  recordingLogger,
  requestFor,
  temporaryFolder,
} from './test-authority.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let directory: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  directory = join(folder.path, 'state', 'authority');
});
afterEach(() => folder.remove());

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

async function failureOf(promise: Promise<unknown>): Promise<OakestraError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(OakestraError);
  return outcome as OakestraError;
}

describe('a new authority', () => {
  it('is for its owner only, and opens again as the same', async () => {
    const lines: LogLine[] = [];
    const created = await openTestAuthority(directory, { logger: recordingLogger(lines) });
    expect((await readdir(directory)).sort()).toEqual(['ca-key.pem', 'ca.pem']);
    expect(await modeOf(directory)).toBe(0o700);
    expect(await modeOf(join(directory, 'ca-key.pem'))).toBe(0o600);
    const reopened = await openTestAuthority(directory, { logger: recordingLogger(lines) });
    expect(reopened.certificatePem).toBe(created.certificatePem);
    expect(reopened.fingerprint).toBe(created.fingerprint);
    expect(lines.map((line) => line.message)).toEqual(['created a certificate authority']);
    const issued = await reopened.issue(requestFor({}));
    const authority = new X509Certificate(created.certificatePem);
    expect(new X509Certificate(issued.certificatePem).verify(authority.publicKey)).toBe(true);
  });

  it('has a fingerprint that is the SHA-256 of its certificate', async () => {
    const authority = await openTestAuthority(directory);
    const { raw } = new X509Certificate(authority.certificatePem);
    const digest = await crypto.subtle.digest('SHA-256', raw);
    expect(authority.fingerprint).toBe(Buffer.from(digest).toString('hex'));
  });

  it('is valid from the time floor for 20 years, also past 2050, where the encoding of time changes', async () => {
    const clock = createManualClock(Date.UTC(2035, 5, 1));
    const { certificatePem } = await openTestAuthority(directory, { clock });
    const certificate = new X509Certificate(certificatePem);
    expect(Date.parse(certificate.validFrom)).toBe(Date.UTC(2026, 0, 1));
    expect(Date.parse(certificate.validTo)).toBe(Date.UTC(2055, 5, 1));
    expect(certificate.ca).toBe(true);
  });

  it('serves a machine whose clock starts in 1970', async () => {
    const timeFloorMs = Date.UTC(2026, 6, 1);
    const authority = await openTestAuthority(directory, { clock: createManualClock(0), timeFloorMs });
    const { certificatePem } = await authority.issue(requestFor({ lifetimeMs: dayMs }));
    const certificate = new X509Certificate(certificatePem);
    expect(Date.parse(certificate.validFrom)).toBe(timeFloorMs);
    expect(Date.parse(certificate.validTo)).toBe(timeFloorMs + dayMs);
  });

  it('is one, also when several processes create it at the same moment', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => openTestAuthority(directory)));
    expect(new Set(all.map((authority) => authority.fingerprint)).size).toBe(1);
    expect(await readdir(join(folder.path, 'state'))).toEqual(['authority']);
  });

  it('takes the place of an empty folder, whatever its mode', async () => {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await openTestAuthority(directory);
    expect(await modeOf(directory)).toBe(0o700);
  });

  it('clears away what an interrupted start left', async () => {
    const stale = `${directory}.creating-0123456789ab`;
    await mkdir(stale, { recursive: true });
    await writeFile(join(stale, 'ca-key.pem'), 'half');
    await openTestAuthority(directory);
    expect(await readdir(join(folder.path, 'state'))).toEqual(['authority']);
  });

  it('does not mix with other files', async () => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'notes.txt'), 'mine');
    const error = await failureOf(openTestAuthority(directory));
    expect([error.kind, error.code]).toEqual(['conflict', 'authority-folder-in-use']);
    expect(await readdir(directory)).toEqual(['notes.txt']);
    expect(await readdir(join(folder.path, 'state'))).toEqual(['authority']);
  });
});

describe('a damaged authority', () => {
  const other = () => join(folder.path, 'other');
  const damages: Readonly<Record<string, () => Promise<unknown>>> = {
    'a missing key': () => rm(join(directory, 'ca-key.pem')),
    'a missing certificate': () => rm(join(directory, 'ca.pem')),
    'a cut certificate': () => writeFile(join(directory, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nMII'),
    'an empty key': () => writeFile(join(directory, 'ca-key.pem'), ''),
    'the key of another authority': async () => {
      await openTestAuthority(other());
      await writeFile(join(directory, 'ca-key.pem'), await readFile(join(other(), 'ca-key.pem')));
    },
  };

  for (const [name, damage] of Object.entries(damages)) {
    it(`is refused and left as it is: ${name}`, async () => {
      await openTestAuthority(directory);
      await damage();
      const before = await readdir(directory);
      const error = await failureOf(openTestAuthority(directory));
      expect([error.kind, error.code]).toEqual(['internal', 'authority-damaged']);
      expect(error.message).toContain(directory);
      expect(await readdir(directory)).toEqual(before);
    });
  }
});

describe('an issued certificate', () => {
  it('carries role, name and addresses, and its own key', async () => {
    const authority = await openTestAuthority(directory);
    const issued = await authority.issue({
      role: 'cluster',
      id: '0123456789abcdef01234567',
      name: 'Zürich, "north" #1 / 100 %',
      dnsNames: ['cluster.example.org'],
      ipAddresses: ['192.0.2.7', '2001:db8::7'],
      lifetimeMs: hourMs,
    });
    const certificate = new X509Certificate(issued.certificatePem);
    expect(peerIdentity(certificate)).toEqual({ role: 'cluster', name: 'Zürich, "north" #1 / 100 %' });
    expect(certificate.subject).toBe('CN=cluster:0123456789abcdef01234567');
    expect(certificate.checkHost('cluster.example.org')).toBe('cluster.example.org');
    expect(certificate.checkIP('192.0.2.7')).toBe('192.0.2.7');
    expect(certificate.checkIP('2001:db8::7')).toBe('2001:db8::7');
    expect(certificate.ca).toBe(false);
    expect(JSON.stringify(issued)).not.toContain('PRIVATE KEY');
    expect(issued.privateKeyPem.reveal()).toContain('PRIVATE KEY');
  });

  it('has a serial number that is positive and its own', async () => {
    const authority = await openTestAuthority(directory);
    const issued = await Promise.all([1, 2, 3].map(() => authority.issue(requestFor({}))));
    const serials = issued.map(({ certificatePem }) => new X509Certificate(certificatePem).serialNumber);
    expect(new Set(serials).size).toBe(3);
    for (const serial of serials) {
      expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
    }
  });

  it('does not outlive its authority', async () => {
    const authority = await openTestAuthority(directory);
    const { certificatePem } = await authority.issue(requestFor({ lifetimeMs: 100 * 365 * dayMs }));
    const authorityEnd = new X509Certificate(authority.certificatePem).validTo;
    expect(new X509Certificate(certificatePem).validTo).toBe(authorityEnd);
  });

  it('is refused for a subject that must not get into it, and the message names the field', async () => {
    const authority = await openTestAuthority(directory);
    const subjects = [
      ['name', { name: '' }],
      ['name', { name: 'a\nb' }],
      ['name', { name: 'half \ud800' }],
      ['id', { id: 'x'.repeat(57) }],
      ['dnsNames[0]', { dnsNames: ['a, URI:oakestra://root/x'] }],
      ['dnsNames[1]', { dnsNames: ['fine', '192.0.2.1'] }],
      ['ipAddresses[0]', { ipAddresses: ['localhost'] }],
    ] as const;
    for (const [path, subject] of subjects) {
      const error = await failureOf(authority.issue(requestFor(subject)));
      expect([error.kind, error.code]).toEqual(['invalid', 'certificate-subject-invalid']);
      expect(error.violations.map((violation) => violation.path)).toEqual([path]);
    }
  });
});
