import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { systemClock } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureIdentity, identityPaths } from './authority/ensure-identity.ts';
import {
  dayMs,
  identityOf,
  openTestAuthority,
  recordingLogger,
  temporaryFolder,
} from './authority/test-authority.ts';
import { readTlsIdentity, type TlsIdentityPaths } from './tls-identity.ts';

describe('readTlsIdentity names the file and the reason', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let paths: TlsIdentityPaths;

  beforeEach(async () => {
    folder = await temporaryFolder();
    const authority = await openTestAuthority(join(folder.path, 'authority'));
    paths = identityPaths(folder.path);
    await ensureIdentity({
      authority,
      directory: folder.path,
      role: 'worker',
      name: 'a',
      dnsNames: [],
      ipAddresses: [],
      lifetimeMs: dayMs,
      clock: systemClock(),
      logger: recordingLogger(),
    });
  });
  afterEach(() => folder.remove());

  async function expectFailure(code: string, path: string): Promise<OakestraError> {
    const outcome = await readTlsIdentity(paths).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(outcome).toBeInstanceOf(OakestraError);
    const error = outcome as OakestraError;
    expect([error.code, error.details.path]).toEqual([code, path]);
    expect(error.message).toContain(path);
    return error;
  }

  it('for each missing file', async () => {
    for (const path of [paths.keyPath, paths.certificatePath, paths.caPath]) {
      await rm(path);
      expect((await expectFailure('tls-file-missing', path)).kind).toBe('not-found');
    }
  });

  it('for what cannot be read', async () => {
    await rm(paths.keyPath);
    paths = { ...paths, keyPath: folder.path };
    expect((await expectFailure('tls-file-unreadable', folder.path)).kind).toBe('unavailable');
  });

  it('for what is not PEM, without quoting it', async () => {
    await writeFile(paths.keyPath, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n');
    const error = await expectFailure('tls-file-invalid', paths.keyPath);
    expect([error.message.includes('c2VjcmV0'), error.cause]).toEqual([false, undefined]);
    await writeFile(paths.certificatePath, 'nothing');
    await expectFailure('tls-file-invalid', paths.certificatePath);
    await writeFile(paths.caPath, '');
    await expectFailure('tls-file-invalid', paths.caPath);
  });

  it('for a key that belongs to another certificate', async () => {
    const authority = await openTestAuthority(join(folder.path, 'authority'));
    const other = await identityOf(authority, { name: 'b' });
    await writeFile(paths.keyPath, other.keyPem.reveal());
    await expectFailure('tls-files-mismatch', paths.keyPath);
  });

  it('for a certificate of another authority', async () => {
    const other = await openTestAuthority(join(folder.path, 'other'));
    await writeFile(paths.caPath, other.certificatePem);
    await expectFailure('tls-files-mismatch', paths.certificatePath);
  });

  it('for a certificate without an identity', async () => {
    await writeFile(
      paths.certificatePath,
      (await openTestAuthority(join(folder.path, 'other'))).certificatePem,
    );
    await expectFailure('tls-identity-missing', paths.certificatePath);
  });
});
