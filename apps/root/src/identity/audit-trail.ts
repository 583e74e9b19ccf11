import type { Statement } from '@oakestra/store';
import type { AuditEvent, AuditWriter } from '../audit/index.ts';

/** Whoever acts, as far as the journal wants to know. */
export interface Who {
  readonly userId?: string;
  readonly userName: string;
  readonly address?: string;
}

type Event = Omit<AuditEvent, 'actor'>;

/** The changes of this room in the journal; without a journal nothing is written. */
export interface Trail {
  /** For the batch of the change. */
  of(who: Who, event: Event): Statement[];
  /** On its own, in the background. */
  note(who: Who, event: Event): void;
}

/** What the root does by itself, such as creating its administrator. */
export const ROOT_ITSELF: Who = { userName: '' };

export function createTrail(journal: AuditWriter | undefined): Trail {
  const actorOf = ({ userId, userName, address }: Who) => ({
    userName,
    ...(userId === undefined ? {} : { userId }),
    ...(address === undefined ? {} : { address }),
  });
  return {
    of: (who, event) => (journal === undefined ? [] : [journal.entry({ ...event, actor: actorOf(who) })]),
    note(who, event) {
      void journal?.record({ ...event, actor: actorOf(who) });
    },
  };
}
