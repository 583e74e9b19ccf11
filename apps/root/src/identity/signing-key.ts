import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OakestraError, type Sensitive } from '@oakestra/contracts';
import type { Disk } from '@oakestra/daemon';

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const FILE = 'token-key.pem';
const generate = promisify(generateKeyPair);

/**
 * The RSA key that signs tokens: the given one, else the one in the state folder, else a new one that is kept
 * there (mode 0600), so that tokens survive a restart (Q9).
 */
export async function openSigningKey(
  disk: Disk,
  stateDir: string,
  given: Sensitive<string> | undefined,
): Promise<SigningKey> {
  if (given !== undefined) return parse(given.reveal(), 'The setting jwtPrivateKey');
  const path = join(stateDir, FILE);
  const stored = await disk.readFile(path);
  if (stored !== undefined) return parse(Buffer.from(stored).toString(), `The file ${path}`);
  const { privateKey, publicKey } = await generate('rsa', { modulusLength: 2048, publicExponent: 65_537 });
  await disk.replaceFile(path, Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600);
  return { privateKey, publicKey };
}

function parse(pem: string, source: string): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    // The cause may quote the key; it is left out on purpose.
    throw unusable(source, 'holds no private key in PEM form');
  }
  const bits = privateKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (privateKey.asymmetricKeyType !== 'rsa' || bits < 2048) {
    throw unusable(source, 'must hold an RSA key of at least 2048 bits');
  }
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function unusable(source: string, reason: string): OakestraError {
  return new OakestraError(
    'invalid',
    'token-key-invalid',
    `${source} ${reason}. Give another one; without any, a new key is made and users log in again.`,
  );
}
