/**
 * Topics between a cluster and its workers (cluster-protocol 5.2). The first block is the compatible contract, the
 * second one is spoken only between our own tiers, which announce it at registration.
 */
const WORKER_TOPICS = {
  information: 'information',
  status: 'job',
  resources: 'jobs/resources',
  deploy: 'control/deploy',
  remove: 'control/delete',

  greeting: 'greeting',
  presence: 'presence',
  report: 'report',
  tier: 'control/tier',
} as const;

export type WorkerTopic = keyof typeof WORKER_TOPICS;

/** What a cluster of ours offers at registration and a worker of ours accepts. */
export const TIER_CAPABILITY = 'tier-1';

export function workerTopic(workerId: string, topic: WorkerTopic): string {
  return `nodes/${workerId}/${WORKER_TOPICS[topic]}`;
}

/** Everything below which a worker may publish and subscribe. */
export function workerTopicPrefix(workerId: string): string {
  return `nodes/${workerId}/`;
}

const bySuffix = new Map<string, WorkerTopic>(
  Object.entries(WORKER_TOPICS).map(([topic, suffix]) => [suffix, topic as WorkerTopic]),
);

/** Splits `nodes/<id>/…`; undefined for anything else. */
export function parseWorkerTopic(
  text: string,
): { readonly workerId: string; readonly topic: WorkerTopic } | undefined {
  const match = /^nodes\/([^/]+)\/(.+)$/.exec(text);
  const topic = match?.[2] === undefined ? undefined : bySuffix.get(match[2]);
  return match?.[1] === undefined || topic === undefined ? undefined : { workerId: match[1], topic };
}
