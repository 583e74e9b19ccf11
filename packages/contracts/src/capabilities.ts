import type { ServiceDocument } from './documents.ts';
import { sealedReferencesOf } from './sealed-references.ts';

/**
 * What a cluster can do beyond the original, as it announces it when its link opens. What a peer does not announce is
 * not used.
 */
export const CLUSTER_CAPABILITIES = ['disconnect-policies', 'at-most-once', 'sealed-values'] as const;

export type ClusterCapability = (typeof CLUSTER_CAPABILITIES)[number];

/** What a cluster must be able to do to be given an instance of this service. */
export function neededCapabilities(document: ServiceDocument): readonly ClusterCapability[] {
  const needed: ClusterCapability[] = [];
  const { on_disconnect: onDisconnect } = document;
  // The original runs it elsewhere as soon as its worker is silent, whatever the service says.
  if (onDisconnect !== undefined && onDisconnect !== 'replace') needed.push('disconnect-policies');
  if (document.one_shot_delivery === 'at-most-once') needed.push('at-most-once');
  if (sealedReferencesOf(document).length > 0) needed.push('sealed-values');
  return needed;
}
