import { type InstanceKey, parseInstanceKey } from '@oakestra/contracts';

/** Which instances a service has, so that showing one service does not mean to look at all of them. */
export interface InstanceIndex {
  add(key: InstanceKey): void;
  remove(key: InstanceKey): void;
  of(serviceId: string): Iterable<InstanceKey>;
}

export function createInstanceIndex(keys: Iterable<InstanceKey>): InstanceIndex {
  const byService = new Map<string, Set<InstanceKey>>();
  const index: InstanceIndex = {
    add(key) {
      const { serviceId } = parseInstanceKey(key);
      const known = byService.get(serviceId);
      if (known === undefined) byService.set(serviceId, new Set([key]));
      else known.add(key);
    },
    remove(key) {
      const { serviceId } = parseInstanceKey(key);
      const known = byService.get(serviceId);
      if (known?.delete(key) === true && known.size === 0) byService.delete(serviceId);
    },
    of: (serviceId) => byService.get(serviceId) ?? [],
  };
  for (const key of keys) index.add(key);
  return index;
}
