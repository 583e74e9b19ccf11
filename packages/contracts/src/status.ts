/**
 * The status words of an instance and of a service, as they appear on every wire (root-api 7,
 * cluster-protocol 2.2). Closed: old clients and old clusters fail on any other word.
 */
export const STATUS_WORDS = [
  'REQUESTED',
  'CLUSTER_SCHEDULED',
  'NODE_SCHEDULED',
  'TargetClusterNotFound',
  'TargetClusterNotActive',
  'TargetClusterNoCapacity',
  'NoActiveClusterWithCapacity',
  'NO_WORKER_CAPACITY',
  'NO_QUALIFIED_WORKER_FOUND',
  'NO_NODE_FOUND',
  'CREATING',
  'CREATED',
  'RUNNING',
  'FAILED',
  'DEAD',
  'COMPLETED',
  'UNDEPLOYED',
] as const;

export type StatusWord = (typeof STATUS_WORDS)[number];

/** Words that say why nothing could be placed. They keep an instance in the retry loop. */
export const NEGATIVE_SCHEDULING_WORDS: readonly StatusWord[] = [
  'TargetClusterNotFound',
  'TargetClusterNotActive',
  'TargetClusterNoCapacity',
  'NoActiveClusterWithCapacity',
  'NO_WORKER_CAPACITY',
  'NO_QUALIFIED_WORKER_FOUND',
  'NO_NODE_FOUND',
];

const known: ReadonlySet<string> = new Set(STATUS_WORDS);

export function isStatusWord(text: unknown): text is StatusWord {
  return typeof text === 'string' && known.has(text);
}
