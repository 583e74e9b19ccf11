import { type Clock, newId, type Random } from '@oakestra/daemon';
import type { Account } from './accounts.ts';
import { createAttemptThrottle } from './attempt-throttle.ts';
import { networkOf } from './network-of.ts';
import type { PasswordHasher } from './password-hash.ts';
import { createVerifiedPasswords } from './verified-passwords.ts';

/** Whether a password is right: slowly for whoever guesses, quickly for whoever was right a moment ago. */
export interface PasswordCheck {
  /**
   * `account`: what is stored under the name; unknown names take as long as known ones. Rejects
   * `login-throttled`, `login-busy` (exhausted).
   */
  isRight(attempt: {
    readonly userName: string;
    readonly account: Account | undefined;
    readonly password: string;
    readonly address: string;
  }): Promise<boolean>;
}

export function createPasswordCheck(parts: {
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
  readonly random: Random;
}): PasswordCheck {
  const { hasher, clock, random } = parts;
  const verified = createVerifiedPasswords(clock, random);
  const throttle = createAttemptThrottle(clock);
  // Made at the first unknown user: a start should not wait for it.
  let decoyHash: Promise<string> | undefined;

  return {
    async isRight({ userName, account, password, address }) {
      await throttle.admit(userName, address);
      const isRight = await matches(account, password, networkOf(address));
      if (isRight) throttle.succeeded(userName, address);
      else throttle.failed(userName, address);
      return isRight;
    },
  };

  async function matches(account: Account | undefined, password: string, origin: string): Promise<boolean> {
    if (password === '') return false;
    if (account === undefined) {
      decoyHash ??= hasher.hash(newId(random));
      await hasher.verify(await decoyHash, password, origin);
      return false;
    }
    const { passwordHash } = account;
    if (verified.has(passwordHash, password)) return true;
    const isRight = await hasher.verify(passwordHash, password, origin);
    if (isRight) verified.add(passwordHash, password);
    return isRight;
  }
}
