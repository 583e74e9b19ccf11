import { X509Certificate } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createManualClock, type ManualClock } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTlsIdentity } from '../tls-identity.ts';
import { type EnsureIdentityOptions, ensureIdentity, identityPaths } from './ensure-identity.ts';
import type { Authority } from './open-authority.ts';
import {
  dayMs,
  type LogLine,
  openTestAuthority,
  recordingLogger,
  temporaryFolder,
} from './test-authority.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: Authority;
let clock: ManualClock;
let directory: string;
let lines: LogLine[];

beforeEach(async () => {
  folder = await temporaryFolder();
  clock = createManualClock(Date.UTC(2026, 10, 1));
  authority = await openTestAuthority(join(folder.path, 'authority'), { clock });
  directory = join(folder.path, 'worker', 'tls');
  lines = [];
});
afterEach(() => folder.remove());

const ensure = (changes: Partial<EnsureIdentityOptions> = {}) =>
  ensureIdentity({
    authority,
    directory,
    role: 'worker',
    name: 'edge "1", Ø',
    dnsNames: ['edge-1.local'],
    ipAddresses: ['192.0.2.1', '2001:DB8:0::1'],
    lifetimeMs: 90 * dayMs,
    clock,
    logger: recordingLogger(lines),
    ...changes,
  });

describe('ensureIdentity', () => {
  it('writes files for their owner only, which read back as the same identity', async () => {
    const identity = await ensure();
    const paths = identityPaths(directory);
    for (const path of Object.values(paths)) {
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const read = await readTlsIdentity(paths);
    expect({ ...read, keyPem: read.keyPem.reveal() }).toEqual({
      ...identity,
      keyPem: identity.keyPem.reveal(),
    });
    expect(read.identity).toEqual({ role: 'worker', name: 'edge "1", Ø' });
    expect(JSON.stringify(lines)).not.toContain('PRIVATE');
  });

  it('keeps an identity that still does', async () => {
    const first = await ensure();
    await clock.advance(59 * dayMs);
    const second = await ensure({ ipAddresses: ['192.0.2.1'] });
    expect(second.certificatePem).toBe(first.certificatePem);
    expect(lines).toHaveLength(1);
  });

  it('replaces it when a third of its life is left', async () => {
    const first = await ensure();
    await clock.advance(60 * dayMs);
    const second = await ensure();
    expect(second.certificatePem).not.toBe(first.certificatePem);
    expect(second.expiresAtMs).toBe(first.expiresAtMs + 60 * dayMs);
  });

  it('replaces it when names, addresses or the holder change', async () => {
    const changes: Partial<EnsureIdentityOptions>[] = [
      { dnsNames: ['edge-1.local', 'edge-1.example.org'] },
      { ipAddresses: ['192.0.2.2'] },
      { name: 'edge-2' },
      { role: 'cluster' },
      { id: 'f00d' },
    ];
    for (const change of changes) {
      const before = await ensure();
      const after = await ensure(change);
      expect([change, after.certificatePem === before.certificatePem]).toEqual([change, false]);
      expect((await ensure(change)).certificatePem).toBe(after.certificatePem);
    }
  });

  it('replaces it when the authority is another one', async () => {
    await ensure();
    authority = await openTestAuthority(join(folder.path, 'another'), { clock });
    const identity = await ensure();
    const ca = new X509Certificate(authority.certificatePem);
    expect(new X509Certificate(identity.certificatePem).verify(ca.publicKey)).toBe(true);
  });

  it('repairs what an interrupted replacement or an accident left', async () => {
    const paths = identityPaths(directory);
    const accidents = [
      () => rm(paths.caPath),
      () => rm(paths.keyPath),
      () => writeFile(paths.keyPath, ''),
      () => writeFile(paths.certificatePath, 'nothing'),
      async () => {
        const oldKey = await readFile(paths.keyPath);
        await ensure({ name: 'other' });
        await writeFile(paths.keyPath, oldKey);
      },
    ];
    for (const accident of accidents) {
      await ensure();
      await accident();
      const repaired = await ensure();
      expect((await readTlsIdentity(paths)).certificatePem).toBe(repaired.certificatePem);
    }
  });
});
