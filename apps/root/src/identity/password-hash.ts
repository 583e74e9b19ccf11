import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { createFairGate } from './fair-gate.ts';

/** Passwords on their way to and from the store. Nothing here blocks the event loop. */
export interface PasswordHasher {
  /** An argon2id hash with a salt of its own. `origin`: whose turn it takes; see `FairGate`. */
  hash(password: string, origin?: string): Promise<string>;
  /** Also verifies the `pbkdf2:sha256` hashes of imported databases (root-api 3.4). */
  verify(hash: string, password: string, origin?: string): Promise<boolean>;
  /** Whether the hash is of another kind than those that `hash` makes. */
  isOutdated(hash: string): boolean;
}

const CONCURRENT = 2;
const LONGEST_QUEUE = 64;
/** Above this an imported hash would be a way to keep the machine busy. */
const MOST_ITERATIONS = 10_000_000;
const IMPORTED = /^pbkdf2:sha256:(\d{1,8})\$([^$]+)\$([0-9a-f]{64})$/;
const CURRENT_FORM = '$argon2id$v=19$m=19456,t=2,p=1$';
const derive = promisify(pbkdf2);

/**
 * Hashing takes tens of milliseconds and 19 MiB each, on the thread pool that files and names need too: at most
 * two run at a time, and those that wait are limited (`exhausted`, `login-busy`).
 */
export function createPasswordHasher(): PasswordHasher {
  const gate = createFairGate({ concurrent: CONCURRENT, longestQueue: LONGEST_QUEUE });
  return {
    hash: (password, origin = '') =>
      gate.run(origin, async () => {
        const argon2 = await import('@node-rs/argon2');
        return argon2.hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
      }),
    verify: (hash, password, origin = '') => gate.run(origin, () => verifyHash(hash, password)),
    isOutdated: (hash) => !hash.startsWith(CURRENT_FORM),
  };
}

async function verifyHash(hash: string, password: string): Promise<boolean> {
  const imported = IMPORTED.exec(hash);
  if (imported !== null) {
    const [, iterations = '', salt = '', digest = ''] = imported;
    const rounds = Number(iterations);
    if (rounds < 1 || rounds > MOST_ITERATIONS) return false;
    const derived = await derive(password, salt, rounds, 32, 'sha256');
    return timingSafeEqual(derived, Buffer.from(digest, 'hex'));
  }
  if (!hash.startsWith('$argon2id$')) return false;
  const argon2 = await import('@node-rs/argon2');
  return argon2.verify(hash, password);
}
