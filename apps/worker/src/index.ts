export { composeWorker } from './compose.ts';
export type { WorkerContext } from './context.ts';
export {
  createWorkerCore,
  type InstanceAction,
  type WorkerCore,
  type WorkerEffects,
} from './instances/index.ts';
export type { InstanceEntry, WorkerMeta } from './journal/index.ts';
export { purgeWorker } from './purge.ts';
export { type WorkerSettings, workerSettings } from './settings.ts';
