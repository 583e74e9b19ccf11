import { createPublicKey, type KeyObject } from 'node:crypto';
import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { type Clock, createSerially, type Logger } from '@oakestra/daemon';
import {
  type KeyRing,
  type KeyShelf,
  newKey,
  parsePrivate,
  publicPem,
  type RetiredKey,
  unusableKey,
} from './key-ring.ts';

/** The RSA keys of tokens: one signs, those before it verify until the last token that they signed has ended. */
export interface SigningKeys {
  /** Signs. */
  current(): KeyObject;
  /** The current one first. */
  verifying(): readonly KeyObject[];
  /** The current one in PEM form (SubjectPublicKeyInfo, with a line end), as root-api 12 publishes it. */
  publicKeyPem(): string;
  /** Before each use: takes over what another root of the same store changed, within a second. */
  refresh(): Promise<void>;
  /**
   * A new key signs from now on. With `endOldTokens` the old ones count no more: everybody logs in again. Rejects
   * `token-key-given` (the key comes from a setting), `token-key-rotated-often`.
   */
  rotate(options?: { readonly endOldTokens?: boolean }): Promise<void>;
}

export interface SigningKeyOptions {
  readonly shelf: KeyShelf;
  /** Where a root that shares its store now kept its keys when it was alone. */
  readonly formerShelf?: KeyShelf | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a token may live after its key stopped signing. */
  readonly longestTokenMs: number;
  /** PEM; these keep tokens valid that another installation signed. Default: a key of our own. */
  readonly givenPrivateKey: Sensitive<string> | undefined;
  readonly givenPublicKey: string | undefined;
}

const MOST_RETIRED = 16;

/** The key that is given, else the one on the shelf, else a new one that is kept there, so that tokens survive (Q9). */
export async function openSigningKeys(options: SigningKeyOptions): Promise<SigningKeys> {
  const { shelf, clock, longestTokenMs } = options;
  const given = givenKey(options);
  const serially = createSerially();
  let ring = given === undefined ? await ringOf(options) : { signing: given, retired: [] };
  let publicKey = createPublicKey(ring.signing);
  const alive = (): RetiredKey[] => ring.retired.filter(({ untilMs }) => untilMs > clock.nowMs());

  const use = (next: KeyRing): void => {
    ring = next;
    publicKey = createPublicKey(next.signing);
  };
  const refresh = async (): Promise<void> => {
    if (given !== undefined) return;
    const news = await shelf.news();
    if (news !== undefined) use(news);
  };

  const tryToRotate = async (endOldTokens: boolean): Promise<boolean> => {
    const kept = endOldTokens ? [] : alive();
    if (kept.length >= MOST_RETIRED) throw rotatedOften(kept.length);
    const old = { key: publicKey, untilMs: clock.nowMs() + longestTokenMs };
    const next = { signing: await newKey(), retired: endOldTokens ? [] : [old, ...kept] };
    const isKept = await shelf.replace(next);
    if (isKept) use(next);
    return isKept;
  };

  return {
    current: () => ring.signing,
    verifying: () => [publicKey, ...alive().map(({ key }) => key)],
    publicKeyPem: () => publicPem(publicKey),
    refresh,
    rotate: ({ endOldTokens = false } = {}) =>
      serially('', async () => {
        if (given !== undefined) throw keyIsGiven();
        while (!(await tryToRotate(endOldTokens))) {
          // Another root rotated at the same moment: its key has signed tokens, so it is retired, not dropped.
          const theirs = await shelf.read();
          if (theirs !== undefined) use(theirs);
        }
      }),
  };
}

async function ringOf({ shelf, formerShelf }: SigningKeyOptions): Promise<KeyRing> {
  for (;;) {
    const kept = await shelf.read();
    if (kept !== undefined) return kept;
    const first = (await formerShelf?.read()) ?? { signing: await newKey(), retired: [] };
    if (await shelf.replace(first)) return first;
  }
}

function givenKey({ logger, givenPrivateKey, givenPublicKey }: SigningKeyOptions): KeyObject | undefined {
  if (givenPrivateKey !== undefined) {
    const key = parsePrivate(givenPrivateKey.reveal(), 'The setting jwtPrivateKey');
    if (givenPublicKey !== undefined) requirePair(key, givenPublicKey);
    return key;
  }
  if (givenPublicKey !== undefined) {
    logger.warn('the setting jwtPublicKey counts only together with jwtPrivateKey; it is ignored');
  }
  return undefined;
}

function requirePair(privateKey: KeyObject, pem: string): void {
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey(pem.replaceAll('\\n', '\n'));
  } catch {
    throw unusableKey('The setting jwtPublicKey', 'holds no public key in PEM form');
  }
  if (!publicKey.equals(createPublicKey(privateKey))) {
    throw unusableKey('The setting jwtPublicKey', 'does not belong to jwtPrivateKey');
  }
}

function keyIsGiven(): OakestraError {
  return new OakestraError(
    'unsupported',
    'token-key-given',
    'The key of the tokens comes from the setting jwtPrivateKey. Change it there and restart the root.',
  );
}

function rotatedOften(count: number): OakestraError {
  return new OakestraError(
    'conflict',
    'token-key-rotated-often',
    `There are ${count} earlier keys whose tokens are still valid. End these tokens with the rotation, or wait.`,
  );
}
