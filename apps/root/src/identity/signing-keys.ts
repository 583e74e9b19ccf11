import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { type Clock, createSerially, type Disk, type Logger } from '@oakestra/daemon';
import * as z from 'zod';

/** The RSA keys of tokens: one signs, those before it verify until the last token that they signed has ended. */
export interface SigningKeys {
  /** Signs. */
  current(): KeyObject;
  /** The current one first. */
  verifying(): readonly KeyObject[];
  /** The current one in PEM form (SubjectPublicKeyInfo, with a line end), as root-api 12 publishes it. */
  publicKeyPem(): string;
  /**
   * A new key signs from now on. With `endOldTokens` the old ones count no more: everybody logs in again. Rejects
   * `token-key-given` (the key comes from a setting), `token-key-rotated-often`.
   */
  rotate(options?: { readonly endOldTokens?: boolean }): Promise<void>;
}

export interface SigningKeyOptions {
  readonly disk: Disk;
  /** Existing folder; files of mode 0600. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a token may live after its key stopped signing. */
  readonly longestTokenMs: number;
  /** PEM; these keep tokens valid that another installation signed. Default: a key of our own. */
  readonly givenPrivateKey: Sensitive<string> | undefined;
  readonly givenPublicKey: string | undefined;
}

const CURRENT_FILE = 'token-key.pem';
const RETIRED_FILE = 'token-keys-retired.json';
const MOST_RETIRED = 16;
const generate = promisify(generateKeyPair);
const retiredSchema = z.array(z.object({ publicKey: z.string(), untilMs: z.number() }));

interface RetiredKey {
  readonly key: KeyObject;
  readonly untilMs: number;
}

/**
 * The key that is given, else the one in the state folder, else a new one that is kept there, so that tokens
 * survive a restart (Q9).
 */
export async function openSigningKeys(options: SigningKeyOptions): Promise<SigningKeys> {
  const { disk, stateDir, clock, longestTokenMs } = options;
  const isGiven = options.givenPrivateKey !== undefined;
  const currentPath = join(stateDir, CURRENT_FILE);
  const retiredPath = join(stateDir, RETIRED_FILE);
  const serially = createSerially();
  let current = pairOf(await openCurrent(options, currentPath));
  let retired = isGiven ? [] : parseRetired(await disk.readFile(retiredPath), retiredPath);
  const alive = () => retired.filter(({ untilMs }) => untilMs > clock.nowMs());

  return {
    current: () => current.privateKey,
    verifying: () => [current.publicKey, ...alive().map(({ key }) => key)],
    publicKeyPem: () => pemOf(current.publicKey),
    rotate: ({ endOldTokens = false } = {}) =>
      serially('', async () => {
        if (isGiven) {
          throw new OakestraError(
            'unsupported',
            'token-key-given',
            'The key of the tokens comes from the setting jwtPrivateKey. Change it there and restart the root.',
          );
        }
        const kept = endOldTokens ? [] : alive();
        if (kept.length >= MOST_RETIRED) {
          throw new OakestraError(
            'conflict',
            'token-key-rotated-often',
            `There are ${kept.length} earlier keys whose tokens are still valid. End these tokens with the rotation, or wait.`,
          );
        }
        const old = { key: current.publicKey, untilMs: clock.nowMs() + longestTokenMs };
        const next = await newKey();
        const nextRetired = endOldTokens ? [] : [old, ...kept];
        // In this order a crash in between leaves the old key signing, and verifying twice.
        await disk.replaceFile(retiredPath, serialised(nextRetired), 0o600);
        await disk.replaceFile(currentPath, privatePem(next), 0o600);
        current = pairOf(next);
        retired = nextRetired;
      }),
  };
}

async function openCurrent(options: SigningKeyOptions, path: string): Promise<KeyObject> {
  const { disk, logger, givenPrivateKey, givenPublicKey } = options;
  if (givenPrivateKey !== undefined) {
    const key = parsePrivate(givenPrivateKey.reveal(), 'The setting jwtPrivateKey');
    if (givenPublicKey !== undefined) requirePair(key, givenPublicKey);
    return key;
  }
  if (givenPublicKey !== undefined) {
    logger.warn('the setting jwtPublicKey counts only together with jwtPrivateKey; it is ignored');
  }
  const stored = await disk.readFile(path);
  if (stored !== undefined) return parsePrivate(Buffer.from(stored).toString(), `The file ${path}`);
  const key = await newKey();
  await disk.replaceFile(path, privatePem(key), 0o600);
  return key;
}

function pairOf(privateKey: KeyObject): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

async function newKey(): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: 2048, publicExponent: 65_537 })).privateKey;
}

function parsePrivate(pem: string, source: string): KeyObject {
  let key: KeyObject;
  try {
    // Variables of an environment often hold the line ends of a PEM text as two characters.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch {
    // The cause may quote the key; it is left out on purpose.
    throw unusable(source, 'holds no private key in PEM form');
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < 2048) {
    throw unusable(source, 'must hold an RSA key of at least 2048 bits');
  }
  return key;
}

function requirePair(privateKey: KeyObject, publicPem: string): void {
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey(publicPem.replaceAll('\\n', '\n'));
  } catch {
    throw unusable('The setting jwtPublicKey', 'holds no public key in PEM form');
  }
  if (!publicKey.equals(createPublicKey(privateKey))) {
    throw unusable('The setting jwtPublicKey', 'does not belong to jwtPrivateKey');
  }
}

function parseRetired(stored: Uint8Array | undefined, path: string): RetiredKey[] {
  if (stored === undefined) return [];
  try {
    return retiredSchema
      .parse(JSON.parse(Buffer.from(stored).toString()))
      .map(({ publicKey, untilMs }) => ({ key: createPublicKey(publicKey), untilMs }));
  } catch {
    throw unusable(`The file ${path}`, 'holds no list of earlier keys');
  }
}

function serialised(retired: readonly RetiredKey[]): Uint8Array {
  const list = retired.map(({ key, untilMs }) => ({ publicKey: pemOf(key), untilMs }));
  return Buffer.from(JSON.stringify(list));
}

function pemOf(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function privatePem(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
}

function unusable(source: string, reason: string): OakestraError {
  return new OakestraError(
    'invalid',
    'token-key-invalid',
    `${source} ${reason}. Give another one; without any, a new key is made and users log in again.`,
  );
}
