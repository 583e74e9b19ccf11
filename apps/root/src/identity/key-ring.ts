import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { OakestraError } from '@oakestra/contracts';
import * as z from 'zod';

/** The RSA keys of tokens: the one that signs, and those before it that still verify. */
export interface KeyRing {
  readonly signing: KeyObject;
  readonly retired: readonly RetiredKey[];
}

export interface RetiredKey {
  readonly key: KeyObject;
  readonly untilMs: number;
}

/** Where the keys of an installation are kept. */
export interface KeyShelf {
  /** Undefined: nothing is kept yet. */
  read(): Promise<KeyRing | undefined>;
  /** Puts `next` in the place of what was read last; false when another root was faster, and nothing was kept. */
  replace(next: KeyRing): Promise<boolean>;
  /** Reads what another root put there lately; undefined when there is nothing new. */
  news(): Promise<KeyRing | undefined>;
}

const generate = promisify(generateKeyPair);
const retiredSchema = z.array(z.object({ publicKey: z.string(), untilMs: z.number() }));

export async function newKey(): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: 2048, publicExponent: 65_537 })).privateKey;
}

/** Rejects `token-key-invalid`, naming the source and nothing of the key. */
export function parsePrivate(pem: string, source: string): KeyObject {
  let key: KeyObject;
  try {
    // Variables of an environment often hold the line ends of a PEM text as two characters.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch {
    // The cause may quote the key; it is left out on purpose.
    throw unusableKey(source, 'holds no private key in PEM form');
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < 2048) {
    throw unusableKey(source, 'must hold an RSA key of at least 2048 bits');
  }
  return key;
}

export function parseRetired(json: string, source: string): RetiredKey[] {
  try {
    return retiredSchema
      .parse(JSON.parse(json))
      .map(({ publicKey, untilMs }) => ({ key: createPublicKey(publicKey), untilMs }));
  } catch {
    throw unusableKey(source, 'holds no list of earlier keys');
  }
}

export function retiredJson(retired: readonly RetiredKey[]): string {
  return JSON.stringify(retired.map(({ key, untilMs }) => ({ publicKey: publicPem(key), untilMs })));
}

export function publicPem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function unusableKey(source: string, reason: string): OakestraError {
  return new OakestraError(
    'invalid',
    'token-key-invalid',
    `${source} ${reason}. Give another one; without any, a new key is made and users log in again.`,
  );
}
