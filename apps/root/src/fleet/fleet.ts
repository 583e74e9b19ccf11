import {
  createMirror,
  effectiveLabels,
  type FleetCommand,
  type FleetReport,
  type Greeting,
  type LabelOverride,
  type Labels,
  type Mirror,
  messageOf,
  OakestraError,
  type WorkerRow,
  workerRowSchema,
} from '@oakestra/contracts';
import { type Clock, createSerially, type Logger } from '@oakestra/daemon';
import type { Statement, Store } from '@oakestra/store';
import { type LabelChanges, withChanges } from './label-changes.ts';
import { type FleetMember, openMemberBook } from './members.ts';
import type { FleetSchema } from './schema.ts';

/** A worker as the faces show it. */
export interface WorkerView {
  readonly id: string;
  readonly clusterId: string;
  readonly name: string;
  /** `unknown`: its cluster is not connected. */
  readonly state: 'up' | 'down' | 'unknown';
  /** Those that hold. */
  readonly labels: Labels;
  /** Those of them that were set over the API. */
  readonly setLabels: Labels;
  /** Undefined: it has not been heard of since its cluster or the root started. */
  readonly capacity: NonNullable<WorkerRow['capacity']> | undefined;
}

/** Labels of clusters and workers, and which workers there are. Rejections are `OakestraError`s. */
export interface Fleet {
  clusterLabels(clusterId: string): { readonly labels: Labels; readonly setLabels: Labels };
  /** By id. */
  workers(clusterId: string): readonly WorkerView[];
  worker(clusterId: string, workerId: string): WorkerView | undefined;
  /** Resolves when it is on disk; `further` goes into the same batch. */
  labelCluster(clusterId: string, changes: LabelChanges, further?: readonly Statement[]): Promise<void>;
  /** The same; the cluster is told as soon as it is there. Rejects `worker-not-found`. */
  labelWorker(
    clusterId: string,
    workerId: string,
    changes: LabelChanges,
    further?: readonly Statement[],
  ): Promise<void>;

  clusterUp(clusterId: string, greeting: Greeting): void;
  clusterDown(clusterId: string): void;
  /** Labels of the settings of a cluster. */
  clusterFacts(clusterId: string, own: Labels): void;
  report(clusterId: string, report: FleetReport): void;
}

export interface FleetOptions {
  readonly store: Store<FleetSchema>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly send: (clusterId: string, command: FleetCommand) => void;
  readonly onClusterLabels?: () => void;
}

const NONE: LabelOverride = { version: 0, labels: {} };

export async function openFleet({
  store,
  clock,
  logger,
  send,
  onClusterLabels = () => {},
}: FleetOptions): Promise<Fleet> {
  const book = await openMemberBook(store);
  const mirrors = new Map<string, Mirror<WorkerRow>>();
  const linked = new Set<string>();
  const serially = createSerially();

  const mirrorOf = (clusterId: string): Mirror<WorkerRow> => {
    let mirror = mirrors.get(clusterId);
    if (mirror === undefined) {
      mirror = createMirror<WorkerRow>((value) => workerRowSchema.safeParse(value).data);
      mirrors.set(clusterId, mirror);
    }
    return mirror;
  };

  const clusterOf = (clusterId: string): FleetMember =>
    book.get(clusterId, '') ?? { clusterId, workerId: '', name: '', own: {}, override: NONE };

  /** One change of a member at a time, each from what the one before left. */
  const change = (
    clusterId: string,
    workerId: string,
    next: (present: FleetMember | undefined) => Promise<void>,
  ): Promise<void> => serially(`${clusterId} ${workerId}`, () => next(book.get(clusterId, workerId)));

  const inBackground = (work: Promise<void>): void => {
    work.catch((error: unknown) =>
      logger.error('what a cluster says of a worker was not stored; the next digest tries again', {
        reason: messageOf(error),
      }),
    );
  };

  /** What the cluster says of a worker meets what we remember of it. */
  const meet = (clusterId: string, workerId: string, row: WorkerRow): Promise<void> =>
    change(clusterId, workerId, async (present) => {
      const isNewerThere = row.override.version > (present?.override.version ?? 0);
      const override = isNewerThere ? row.override : (present?.override ?? NONE);
      const next: FleetMember = { clusterId, workerId, name: row.name, own: row.ownLabels, override };
      if (JSON.stringify(present) !== JSON.stringify(next)) {
        await book.put(next, isNewerThere ? 'full' : 'normal');
      }
      if (override.version > row.override.version)
        send(clusterId, { type: 'label-worker', workerId, override });
    });

  const dropGone = (clusterId: string, mirror: Mirror<WorkerRow>): void => {
    for (const member of book.workersOf(clusterId)) {
      // What somebody said of it outlives a cluster that lost its store.
      const isGone = mirror.get(member.workerId) === undefined && member.override.version === 0;
      if (isGone) inBackground(change(clusterId, member.workerId, () => book.drop(member)));
    }
  };

  const changed = (present: LabelOverride, changes: LabelChanges): LabelOverride => ({
    version: Math.max(clock.nowMs(), present.version + 1),
    labels: withChanges(present.labels, changes),
  });

  const viewOf = (member: FleetMember): WorkerView => {
    const { clusterId, workerId: id, name, own, override } = member;
    const row = mirrors.get(clusterId)?.get(id);
    return {
      ...{ id, clusterId, name },
      state: row === undefined || !linked.has(clusterId) ? 'unknown' : row.isUp ? 'up' : 'down',
      labels: effectiveLabels(own, override.labels),
      setLabels: override.labels,
      capacity: row?.capacity ?? undefined,
    };
  };

  return {
    clusterLabels(clusterId) {
      const { own, override } = clusterOf(clusterId);
      return { labels: effectiveLabels(own, override.labels), setLabels: override.labels };
    },
    workers: (clusterId) => book.workersOf(clusterId).map(viewOf),
    worker(clusterId, workerId) {
      const member = workerId === '' ? undefined : book.get(clusterId, workerId);
      return member === undefined ? undefined : viewOf(member);
    },
    labelCluster: (clusterId, changes, further) =>
      change(clusterId, '', async (present = clusterOf(clusterId)) => {
        await book.put({ ...present, override: changed(present.override, changes) }, 'full', further);
        onClusterLabels();
      }),
    labelWorker: (clusterId, workerId, changes, further) =>
      change(clusterId, workerId, async (present) => {
        if (present === undefined || workerId === '') throw workerNotFound(clusterId, workerId);
        const override = changed(present.override, changes);
        await book.put({ ...present, override }, 'full', further);
        send(clusterId, { type: 'label-worker', workerId, override });
      }),

    clusterUp(clusterId, { incarnation, boot }) {
      linked.add(clusterId);
      mirrorOf(clusterId).beginSession({ incarnation, boot });
    },
    clusterDown: (clusterId) => void linked.delete(clusterId),
    clusterFacts(clusterId, own) {
      inBackground(
        change(clusterId, '', async (present = clusterOf(clusterId)) => {
          if (JSON.stringify(present.own) === JSON.stringify(own)) return;
          await book.put({ ...present, own }, 'normal');
          onClusterLabels();
        }),
      );
    },
    report(clusterId, { table }) {
      const mirror = mirrorOf(clusterId);
      const { changed: keys, requests, becameSynced } = mirror.receive(table);
      for (const request of requests) send(clusterId, { type: 'workers-sync', request });
      // A digest also finds a command that was lost.
      const isComplete = mirror.isSynced && table.type === 'digest';
      const met = isComplete ? [...mirror.entries()].map(([key]) => key) : keys;
      for (const workerId of met) {
        const row = mirror.get(workerId);
        if (row !== undefined) inBackground(meet(clusterId, workerId, row));
      }
      if (becameSynced) dropGone(clusterId, mirror);
    },
  };
}

export function workerNotFound(clusterId: string, workerId: string): OakestraError {
  return new OakestraError(
    'not-found',
    'worker-not-found',
    `The cluster ${clusterId} has no worker ${workerId}; GET /clusters/${clusterId}/workers lists those it has.`,
  );
}
