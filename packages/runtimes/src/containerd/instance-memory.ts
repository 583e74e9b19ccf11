import type { InstanceExit } from '../runtime.ts';
import { containerIdOf } from './container-id.ts';
import type { RecordedInstance } from './container-record.ts';

/** What this process knows of an instance without asking containerd. All of it can be learnt again. */
export interface RememberedInstance {
  readonly id: string;
  readonly containerId: string;
  /** As it was last read; labels may have changed since. */
  record?: RecordedInstance;
  /** Process of the task; absent while no task is known. */
  pid?: number;
  hasStarted: boolean;
  /** We are ending it ourselves, so SIGKILL tells nothing about memory. */
  isStopping: boolean;
  ranOutOfMemory: boolean;
  exit?: InstanceExit;
}

export interface InstanceMemory {
  /** The entry of the instance, made when it is missing. */
  of(id: string): RememberedInstance;
  find(id: string): RememberedInstance | undefined;
  findByContainer(containerId: string): RememberedInstance | undefined;
  forget(id: string): void;
}

export function createInstanceMemory(): InstanceMemory {
  const byId = new Map<string, RememberedInstance>();
  const idByContainer = new Map<string, string>();
  return {
    of(id) {
      let entry = byId.get(id);
      if (entry === undefined) {
        const containerId = containerIdOf(id);
        entry = { id, containerId, hasStarted: false, isStopping: false, ranOutOfMemory: false };
        byId.set(id, entry);
        idByContainer.set(containerId, id);
      }
      return entry;
    },
    find: (id) => byId.get(id),
    findByContainer: (containerId) => byId.get(idByContainer.get(containerId) ?? ''),
    forget(id) {
      const entry = byId.get(id);
      if (entry === undefined) return;
      byId.delete(id);
      idByContainer.delete(entry.containerId);
    },
  };
}
