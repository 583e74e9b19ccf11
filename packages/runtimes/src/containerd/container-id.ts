import { createHash } from 'node:crypto';

/** What containerd accepts as an identifier. */
const identifier = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;
const maxLength = 76;
const digestLength = 16;

/**
 * The id of an instance's container: the instance's own where containerd accepts it, so that operators find it;
 * else a readable beginning with a digest of the whole (long service names do not fit).
 */
export function containerIdOf(instanceId: string): string {
  if (identifier.test(instanceId) && instanceId.length <= maxLength) return instanceId;
  const digest = createHash('sha256').update(instanceId).digest('hex').slice(0, digestLength);
  const readable = instanceId
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(0, maxLength - digestLength - 1)
    .replace(/^-+|-+$/g, '');
  return readable === '' ? digest : `${readable}-${digest}`;
}

/** The name of an instance's writable layer (node-engine 11.4). */
export function snapshotKeyOf(containerId: string): string {
  return `${containerId}-snapshotter`;
}
