import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, OakestraError, type Sensitive } from '@oakestra/contracts';
import type { Random } from '@oakestra/daemon';
import { randomHex } from '@oakestra/daemon';

const certificateName = 'ca.pem';
const keyName = 'ca-key.pem';

/** The authority as it lies on the disk, checked. */
export interface StoredAuthority {
  readonly certificatePem: string;
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

function damaged(directory: string, what: string, cause?: unknown): OakestraError {
  return new OakestraError(
    'internal',
    'authority-damaged',
    `The certificate authority in ${directory} cannot be used: ${what}. Restore the folder from a backup; or, to ` +
      'begin with a new authority (every cluster and worker then has to join again), remove the folder.',
    { cause, details: { directory } },
  );
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw new OakestraError(
      'unavailable',
      'authority-unreadable',
      `The file ${path} of the certificate authority cannot be read (${messageOf(error)}). Run as its owner.`,
      { cause: error, details: { path } },
    );
  }
}

async function readFiles(directory: string): Promise<readonly [string | undefined, string | undefined]> {
  return [
    await readIfPresent(join(directory, certificateName)),
    await readIfPresent(join(directory, keyName)),
  ];
}

/** Reads and checks an authority; undefined when there is none yet. */
export async function readAuthority(directory: string): Promise<StoredAuthority | undefined> {
  let [certificatePem, keyPem] = await readFiles(directory);
  if ((certificatePem === undefined) !== (keyPem === undefined)) {
    // The folder may have appeared between the two reads.
    [certificatePem, keyPem] = await readFiles(directory);
  }
  if (certificatePem === undefined && keyPem === undefined) {
    return undefined;
  }
  if (certificatePem === undefined || keyPem === undefined) {
    throw damaged(directory, `${certificatePem === undefined ? certificateName : keyName} is missing`);
  }
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch (error) {
    throw damaged(directory, `${certificateName} is not a certificate`, error);
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPem);
  } catch {
    // No cause: the parser's error might quote what it read.
    throw damaged(directory, `${keyName} is not a private key`);
  }
  if (!certificate.ca || !certificate.checkPrivateKey(key) || !certificate.verify(certificate.publicKey)) {
    throw damaged(directory, `${keyName} does not belong to ${certificateName}`);
  }
  return { certificatePem, certificate, key };
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  await writeFile(path, content, { mode: 0o600, flag: 'wx', flush: true });
}

const stagingMark = '.creating-';

/**
 * Removes what interrupted starts left behind, once there is an authority: what else is being created then has
 * lost the race. Best effort, the next start tries again.
 */
export async function removeUnfinished(directory: string): Promise<void> {
  const parent = dirname(directory);
  const prefix = `${basename(directory)}${stagingMark}`;
  try {
    for (const name of await readdir(parent)) {
      if (name.startsWith(prefix)) {
        await rm(join(parent, name), { recursive: true, force: true });
      }
    }
  } catch {
    // Nothing depends on it.
  }
}

export interface NewAuthority {
  readonly certificatePem: string;
  readonly privateKeyPem: Sensitive;
}

/**
 * Writes a new authority so that its folder appears complete or not at all. False when somebody else has
 * created one in the meantime.
 */
export async function writeAuthority(
  directory: string,
  { certificatePem, privateKeyPem }: NewAuthority,
  random: Random,
): Promise<boolean> {
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const staging = `${directory}${stagingMark}${randomHex(random, 6)}`;
  try {
    await mkdir(staging, { mode: 0o700 });
    await writeSynced(join(staging, keyName), privateKeyPem.reveal());
    await writeSynced(join(staging, certificateName), certificatePem);
    await syncDirectory(staging);
    await removeEmpty(directory);
    await rename(staging, directory);
    await syncDirectory(parent);
    return true;
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    const isTaken = code === 'ENOTEMPTY' || code === 'EEXIST';
    if ((isTaken || code === 'ENOENT') && (await readAuthority(directory)) !== undefined) {
      return false;
    }
    if (!isTaken) {
      throw error;
    }
    throw new OakestraError(
      'conflict',
      'authority-folder-in-use',
      `The folder ${directory} holds other files. The certificate authority needs a folder of its own.`,
      { cause: error, details: { directory } },
    );
  }
}

/** An empty folder would keep its own mode when another takes its place; one with content stays. */
async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
  }
}
