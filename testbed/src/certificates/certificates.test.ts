import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerIdentity } from '@oakestra/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestAuthority } from './certificates.ts';

describe('identities for tests', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'oakestra-certificates-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('are files that one authority vouches for', async () => {
    const authority = await openTestAuthority({ directory });
    const files = await authority.issue({ role: 'worker', name: 'edge 1', ipAddresses: ['198.18.0.2'] });
    const ca = new X509Certificate(await readFile(files.caFile));
    const certificate = new X509Certificate(await readFile(files.certificateFile));
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(peerIdentity(certificate)).toEqual({ role: 'worker', name: 'edge 1' });
    expect(certificate.checkIP('198.18.0.2')).toBe('198.18.0.2');
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect((await stat(files.keyFile)).mode & 0o777).toBe(0o600);
    const again = await openTestAuthority({ directory });
    expect(again.caPem).toBe(authority.caPem);
    expect(await readFile(authority.caFile, 'utf8')).toBe(authority.caPem);
  });
});
