import type { Clock } from '@oakestra/daemon';
import type { Trail } from './audit-trail.ts';
import { networkOf } from './network-of.ts';
import { createRateLimit } from './rate-limit.ts';

/**
 * Logins in the audit journal, in moderation: command-line clients log in before every command, and whoever
 * guesses passwords must not be able to fill the journal.
 */
export interface LoginNotes {
  succeeded(who: { readonly userId: string; readonly userName: string; readonly address: string }): void;
  refused(who: { readonly userName: string; readonly address: string }): void;
}

const HOUR_MS = 3600 * 1000;
const MOST_REFUSALS_PER_MINUTE = 30;

export function createLoginNotes(trail: Trail, clock: Clock): LoginNotes {
  const once = createRateLimit({ clock, most: 1, windowMs: HOUR_MS });
  const refusals = createRateLimit({ clock, most: MOST_REFUSALS_PER_MINUTE, windowMs: 60_000 });
  let left = 0;
  return {
    succeeded(who) {
      if (once.waitMs(`${who.userName}\0${networkOf(who.address)}`) > 0) return;
      trail.note(who, {
        action: 'session.login',
        object: { kind: 'user', id: who.userId, name: who.userName },
      });
    },
    refused(who) {
      if (refusals.waitMs('') > 0) {
        left += 1;
        return;
      }
      const object = { kind: 'user', id: '', name: who.userName };
      const details = left === 0 ? {} : { leftOutBefore: left };
      left = 0;
      trail.note(who, { action: 'session.login', object, outcome: 'refused', details });
    },
  };
}
