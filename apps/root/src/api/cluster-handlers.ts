import { OakestraError } from '@oakestra/contracts';
import type { ClusterResource } from '@oakestra/contracts/api';
import type { Availability } from '@oakestra/ownership';
import type { AuditWriter } from '../audit/index.ts';
import type { Clusters, ClusterView } from '../clusters/index.ts';
import { type Fleet, workerNotFound } from '../fleet/index.ts';
import type { Caller } from '../identity/index.ts';
import type { SomeHandlers } from './handlers.ts';
import { pageOf } from './paging.ts';
import { clusterResource, workerResource } from './views.ts';

export function clusterHandlers({
  clusters,
  fleet,
  audit,
}: {
  readonly clusters: Clusters;
  readonly fleet: Fleet;
  readonly audit: Pick<AuditWriter, 'entry' | 'record'>;
}): SomeHandlers<
  | 'listClusters'
  | 'readCluster'
  | 'labelCluster'
  | 'cordonCluster'
  | 'uncordonCluster'
  | 'drainCluster'
  | 'undrainCluster'
  | 'removeCluster'
  | 'admitCluster'
  | 'listWorkers'
  | 'readWorker'
  | 'labelWorker'
> {
  const known = (id: string | undefined): ClusterView => {
    const cluster = id === undefined ? undefined : clusters.cluster(id);
    if (cluster !== undefined && cluster.availability !== 'removed') return cluster;
    throw new OakestraError('not-found', 'cluster-not-found', `There is no cluster ${id}.`);
  };

  const labelled = (
    { userId, userName, address }: Caller,
    object: { readonly kind: string; readonly id: string; readonly name: string },
    labels: Readonly<Record<string, string | null>>,
  ) => {
    const changes = Object.entries(labels).map(([name, value]) =>
      value === null ? name : `${name}=${value}`,
    );
    const actor = { userId, userName, address };
    return [audit.entry({ actor, action: `${object.kind}.label`, object, details: { changes } })];
  };

  const set = async (
    { id, name }: ClusterView,
    { userId, userName, address }: Caller,
    wanted: { readonly availability: Availability; readonly verb: string; readonly isForced?: boolean },
  ): Promise<ClusterResource> => {
    const { availability, verb, isForced = false } = wanted;
    await clusters.setAvailability(id, availability, { isForced });
    const actor = { userId, userName, address };
    const object = { kind: 'cluster', id, name };
    await audit.record({
      actor,
      action: `cluster.${verb}`,
      object,
      details: isForced ? { force: true } : {},
    });
    return clusterResource(clusters.cluster(id) ?? known(id));
  };

  return {
    cordonCluster: ({ parameters, caller }) =>
      set(known(parameters.clusterId), caller, { availability: 'cordoned', verb: 'cordon' }),
    async uncordonCluster({ parameters, caller }) {
      await set(known(parameters.clusterId), caller, { availability: 'open', verb: 'uncordon' });
      return undefined;
    },
    drainCluster: ({ parameters, caller }) =>
      set(known(parameters.clusterId), caller, { availability: 'draining', verb: 'drain' }),
    async undrainCluster({ parameters, caller }) {
      await set(known(parameters.clusterId), caller, { availability: 'open', verb: 'undrain' });
      return undefined;
    },
    async removeCluster({ parameters, query, caller }) {
      const isForced = query.force === 'true';
      const wanted = { availability: 'removed', verb: 'remove', isForced } as const;
      await set(known(parameters.clusterId), caller, wanted);
      return undefined;
    },
    async admitCluster({ parameters, caller }) {
      const removed = clusters.cluster(parameters.clusterId ?? '') ?? known(parameters.clusterId);
      return removed.availability === 'removed'
        ? set(removed, caller, { availability: 'open', verb: 'admit' })
        : clusterResource(removed);
    },
    async listClusters({ query }) {
      const listed = query.removed === 'true' ? clusters.removed() : clusters.all();
      const wanted = listed.filter(
        ({ isActive }) => query.active === undefined || String(isActive) === query.active,
      );
      const { items, nextCursor } = pageOf(wanted, ({ name }) => name, query);
      return { items: items.map(clusterResource), nextCursor };
    },
    readCluster: async ({ parameters }) => clusterResource(known(parameters.clusterId)),
    async labelCluster({ parameters, body, caller }) {
      const { id, name } = known(parameters.clusterId);
      await fleet.labelCluster(id, body.labels, labelled(caller, { kind: 'cluster', id, name }, body.labels));
      return clusterResource(known(id));
    },
    async listWorkers({ parameters, query }) {
      const { id } = known(parameters.clusterId);
      const wanted = fleet
        .workers(id)
        .filter(({ state }) => query.state === undefined || state === query.state);
      const { items, nextCursor } = pageOf(wanted, (worker) => `${worker.name} ${worker.id}`, query);
      return { items: items.map(workerResource), nextCursor };
    },
    async readWorker({ parameters }) {
      const { id } = known(parameters.clusterId);
      const worker = fleet.worker(id, parameters.workerId ?? '');
      if (worker === undefined) throw workerNotFound(id, parameters.workerId ?? '');
      return workerResource(worker);
    },
    async labelWorker({ parameters, body, caller }) {
      const { id: clusterId } = known(parameters.clusterId);
      const worker = fleet.worker(clusterId, parameters.workerId ?? '');
      if (worker === undefined) throw workerNotFound(clusterId, parameters.workerId ?? '');
      const { id, name } = worker;
      const entry = labelled(caller, { kind: 'worker', id, name }, body.labels);
      await fleet.labelWorker(clusterId, id, body.labels, entry);
      return workerResource(fleet.worker(clusterId, id) ?? worker);
    },
  };
}
