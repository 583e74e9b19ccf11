import { createHash } from 'node:crypto';
import { type Random, randomHex } from '@oakestra/daemon';

/** 256 random bits as text, for what is shown to its holder once. */
export function newSecret(random: Random): string {
  return randomHex(random, 32);
}

/** What of such a secret is stored. It cannot be guessed, so a plain hash is enough, and one can look it up. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
