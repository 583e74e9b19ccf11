export {
  type ActionResult,
  type Activity,
  createWorkerCore,
  type FoundInstance,
  type InstanceAction,
  type WorkerCore,
  type WorkerCoreOptions,
  type WorkerEffects,
} from './core.ts';
export type { InstanceEntry, Outcome, WorkerMeta } from './entry.ts';
