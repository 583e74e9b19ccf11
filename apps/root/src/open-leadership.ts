import { OakestraError } from '@oakestra/contracts';
import type { Teardown } from '@oakestra/daemon';
import { type Leadership, leadAlone, shareLeadership } from './leadership/index.ts';
import { openPeers, type Peers } from './peers/index.ts';
import { openTerm, type RootTerm, type TermOptions } from './term.ts';

export interface RootLeadership {
  readonly leadership: Leadership<RootTerm>;
  /** Where this root is one of several. */
  readonly peers: Peers | undefined;
  /** Everything is there to answer the others: from now on this root may lead. */
  join(): Promise<void>;
}

/** Time to say goodbye to clusters and to give the lease back. */
const STOP_MS = 1800;
/** A root that starts while nobody leads waits so long until it says that it is ready. */
const SETTLE_MS = 10_000;

/** Alone on its store a root leads from its start; of several on one PostgreSQL one does. */
export async function openLeadership(
  parts: Omit<TermOptions, 'peers'>,
  teardown: Teardown,
): Promise<RootLeadership> {
  const { settings, store, tls, clock, random, logger } = parts;
  if (!store.capabilities.sharedByProcesses) {
    const leadership = await leadAlone(() => openTerm({ ...parts, peers: undefined }));
    teardown.add('term', () => leadership.stop(), STOP_MS);
    return { leadership, peers: undefined, join: async () => {} };
  }
  let peers: Peers | undefined;
  const leadership = shareLeadership<RootTerm, Schema>({
    ...{ store, clock, random, logger },
    openTerm: (fenced) => openTerm({ ...parts, store: fenced, peers }),
  });
  const opened = await openPeers({ settings, leadership, tls, clock, logger });
  peers = opened;
  teardown.add('connections of clusters', () => opened.clusters.close());
  teardown.add('leadership', () => leadership.stop(), STOP_MS);
  return {
    leadership,
    peers,
    async join() {
      leadership.join(opened.address);
      await leadership.settled(SETTLE_MS);
    },
  };
}

type Schema = TermOptions['store'] extends import('@oakestra/store').Store<infer Found> ? Found : never;

/** For readiness. */
export function requireLeader(leadership: Leadership<RootTerm>): void {
  if (leadership.leader() !== undefined) return;
  throw new OakestraError('unavailable', 'no-leader', 'No root leads at the moment.');
}
