import { OakestraError } from '@oakestra/contracts';
import type { Clock, Random } from '@oakestra/daemon';
import { expectChanges, type Store } from '@oakestra/store';
import { requirePassword } from './account-rules.ts';
import type { Accounts } from './accounts.ts';
import type { Trail } from './audit-trail.ts';
import { passwordResetMail } from './mail/mail-texts.ts';
import type { Mailer } from './mail/mailer.ts';
import { networkOf } from './network-of.ts';
import type { PasswordHasher } from './password-hash.ts';
import { createRateLimit } from './rate-limit.ts';
import type { IdentitySchema } from './schema.ts';
import { hashOfSecret, newSecret } from './secrets.ts';
import { newPasswordStatements } from './user-statements.ts';

/** A new password for whoever can read the mail of the account (root-api 3.8). */
export interface PasswordReset {
  /**
   * Mails a link, in the background. Rejects `mail-not-configured` (unsupported), `reset-throttled` (exhausted),
   * `user-not-found`.
   */
  request(reset: { readonly userName: string; readonly address: string }): Promise<void>;
  /** Works once per link. Rejects `reset-link-invalid`, `reset-link-expired`, `user-invalid`. */
  confirm(reset: {
    readonly token: string;
    readonly password: string;
    readonly address: string;
  }): Promise<void>;
}

interface Parts {
  readonly store: Store<IdentitySchema>;
  readonly accounts: Accounts;
  readonly hasher: PasswordHasher;
  readonly mailer: Mailer;
  readonly trail: Trail;
  readonly clock: Clock;
  readonly random: Random;
  /** After a change of who may do what. */
  readonly forget: () => void;
}

const HOURS = 3;
const LIFE_MS = HOURS * 3600 * 1000;
const WINDOW_MS = 3600 * 1000;
const MOST_PER_ACCOUNT = 3;
const MOST_PER_ADDRESS = 10;
const MOST_CONFIRMATIONS = 30;

export function createPasswordReset(parts: Parts): PasswordReset {
  const { store, accounts, hasher, mailer, trail, clock, random, forget } = parts;
  const { db } = store;
  const limit = (most: number) => createRateLimit({ clock, most, windowMs: WINDOW_MS });
  const perAccount = limit(MOST_PER_ACCOUNT);
  const perAddress = limit(MOST_PER_ADDRESS);
  const confirmations = limit(MOST_CONFIRMATIONS);

  return {
    async request({ userName, address }) {
      if (!mailer.isConfigured) {
        const message = 'This root sends no mails. Ask an administrator for a new password.';
        throw new OakestraError('unsupported', 'mail-not-configured', message);
      }
      // Before the look-up, so that known and unknown names are limited alike.
      requireGranted(perAddress.waitMs(networkOf(address)));
      requireGranted(perAccount.waitMs(userName));
      const account = await accounts.byName(userName);
      if (account === undefined) throw userUnknown();
      if (account.email === '') return;
      const token = newSecret(random);
      const row = {
        token_hash: hashOfSecret(token),
        user_id: account.id,
        expires_at_ms: clock.nowMs() + LIFE_MS,
      };
      const event = { action: 'password.reset-request', object: objectOf(account) };
      await store.commit(
        [
          // Not at once: an ended link says that it ended, and is consumed by that.
          db.deleteFrom('password_resets').where('expires_at_ms', '<', clock.nowMs() - LIFE_MS),
          db.insertInto('password_resets').values(row),
          ...trail.of({ userName: '', address }, event),
        ],
        { durability: 'full' },
      );
      const { name, email } = account;
      mailer.post(
        'password-reset',
        passwordResetMail({ name, email, token, hours: HOURS, urlBase: mailer.resetUrlBase }),
      );
    },

    async confirm({ token, password, address }) {
      requireGranted(confirmations.waitMs(networkOf(address)));
      requirePassword(password);
      const hash = hashOfSecret(token);
      const row = await db
        .selectFrom('password_resets')
        .selectAll()
        .where('token_hash', '=', hash)
        .executeTakeFirst();
      if (row === undefined) throw linkInvalid();
      const consumption = db.deleteFrom('password_resets').where('token_hash', '=', hash);
      if (Number(row.expires_at_ms) <= clock.nowMs()) {
        await store.commit([consumption], { durability: 'full' });
        throw new OakestraError('invalid', 'reset-link-expired', 'Link expired! Please request a new one!');
      }
      const account = await accounts.byId(row.user_id);
      if (account === undefined) throw linkInvalid();
      const passwordHash = await hasher.hash(password, networkOf(address));
      const who = { userId: account.id, userName: account.name, address };
      try {
        await store.commit(
          [
            // Two confirmations at the same time: the second finds nothing to consume, and changes nothing.
            expectChanges(consumption),
            ...newPasswordStatements(db, account.id, passwordHash),
            ...trail.of(who, { action: 'password.reset', object: objectOf(account) }),
          ],
          { durability: 'full' },
        );
      } catch (cause) {
        if (cause instanceof OakestraError && cause.code === 'store-expectation') throw linkInvalid();
        throw cause;
      }
      forget();
    },
  };
}

function requireGranted(waitMs: number): void {
  if (waitMs === 0) return;
  const retryAfterSeconds = Math.ceil(waitMs / 1000);
  throw new OakestraError(
    'exhausted',
    'reset-throttled',
    `Too many requests for a new password. Try again in ${retryAfterSeconds} s.`,
    { details: { retryAfterSeconds } },
  );
}

const objectOf = ({ id, name }: { readonly id: string; readonly name: string }) => ({
  kind: 'user',
  id,
  name,
});

function userUnknown(): OakestraError {
  return new OakestraError('not-found', 'user-not-found', 'User does not exists');
}

function linkInvalid(): OakestraError {
  return new OakestraError('invalid', 'reset-link-invalid', 'Link invalid! Please request a new one!');
}
