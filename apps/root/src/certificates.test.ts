import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@oakestra/daemon';
import { recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRootCertificates } from './certificates.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const open = (furtherNames: readonly string[] = []) =>
  openRootCertificates({
    stateDirectory: folder.path,
    furtherNames,
    clock: systemClock(),
    random: systemRandom(),
    logger: recordingLogger(),
  });

it('covers loopback, the name by which clusters know a root, and what the operator names', async () => {
  const { tls } = await open(['root.example', '192.0.2.7', '2001:db8::7']);
  const certificate = new X509Certificate(tls.certificatePem);
  for (const name of ['localhost', 'root.oakestra.internal', 'root.example']) {
    expect([name, certificate.checkHost(name)]).toEqual([name, name]);
  }
  for (const address of ['127.0.0.1', '::1', '192.0.2.7', '2001:db8::7']) {
    expect([address, certificate.checkIP(address) !== undefined]).toEqual([address, true]);
  }
  expect(tls.identity).toEqual({ role: 'root', name: 'root' });
});

it('is the same after a restart, and a new one of the same authority when a name is added', async () => {
  const first = await open();
  const second = await open();
  expect(second.tls.certificatePem).toBe(first.tls.certificatePem);
  const third = await open(['later.example']);
  expect(third.tls.certificatePem).not.toBe(first.tls.certificatePem);
  expect(third.tls.caPem).toBe(first.tls.caPem);
});

it('keeps its keys for the owner only', async () => {
  await open();
  for (const path of ['tls/key.pem', 'authority']) {
    expect((await stat(join(folder.path, path))).mode & 0o077).toBe(0);
  }
});

it('refuses a name that no certificate can carry, and says which setting it is', async () => {
  await expect(open(['root.example', 'not a name'])).rejects.toMatchObject({
    kind: 'invalid',
    code: 'certificate-name-invalid',
    message: expect.stringMatching(/certificate-names: "not a name"/),
  });
});
