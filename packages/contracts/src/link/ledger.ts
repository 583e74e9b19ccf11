import { LINK_CLASSES, type LinkClass, type PerClass, perClass } from './classes.ts';
import type { Received } from './hello.ts';

/** Messages of a peer that did not arrive: those after `lastSequence` and before `nextSequence`. */
export interface LinkGap {
  readonly linkClass: LinkClass;
  readonly lastSequence: number;
  readonly nextSequence: number;
}

/** What the ledger says about a message that arrived. */
export type Admission = 'new' | 'duplicate' | LinkGap;

/**
 * Counts the messages with one peer over all the links with it, in memory. Keep one per peer for as long as the process
 * runs; after a restart the peer's greeting restores the sending side.
 */
export interface LinkLedger {
  /** Sequence for the next message of `linkClass`. */
  next(linkClass: LinkClass): number;
  /** Notes a message of the peer. */
  admit(linkClass: LinkClass, incarnation: string, sequence: number): Admission;
  /** What arrived so far, for our greeting. */
  received(): Received | undefined;
  /**
   * Compares with what the peer's greeting says it has of ours, continues behind it, and returns how many messages per
   * class the peer never got (0 when that is unknown).
   */
  reconcile(ownIncarnation: string, peerReceived: Received | undefined): PerClass<number>;
}

export function createLinkLedger(): LinkLedger {
  const sent = perClass(() => 0);
  let received: Received | undefined;
  // A class of which nothing is known yet starts wherever its first message is.
  const known = new Set<LinkClass>();

  return {
    next(linkClass) {
      sent[linkClass] += 1;
      return sent[linkClass];
    },

    admit(linkClass, incarnation, sequence) {
      if (received?.incarnation !== incarnation) {
        received = { incarnation, sequences: perClass(() => 0) };
        known.clear();
      }
      const last = received.sequences[linkClass];
      if (known.has(linkClass) && sequence <= last) return 'duplicate';
      received.sequences[linkClass] = sequence;
      const isGap = known.has(linkClass) && sequence > last + 1;
      known.add(linkClass);
      return isGap ? { linkClass, lastSequence: last, nextSequence: sequence } : 'new';
    },

    received: () => received && { incarnation: received.incarnation, sequences: { ...received.sequences } },

    reconcile(ownIncarnation, peerReceived) {
      const missed = perClass(() => 0);
      if (peerReceived?.incarnation !== ownIncarnation) return missed;
      for (const linkClass of LINK_CLASSES) {
        const arrived = peerReceived.sequences[linkClass];
        missed[linkClass] = Math.max(0, sent[linkClass] - arrived);
        sent[linkClass] = Math.max(sent[linkClass], arrived);
      }
      return missed;
    },
  };
}
