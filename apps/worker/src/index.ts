export { composeWorker, type WorkerContext } from './compose.ts';
export {
  createWorkerCore,
  type InstanceAction,
  type InstanceEntry,
  type WorkerCore,
  type WorkerEffects,
  type WorkerMeta,
} from './instances/index.ts';
export { purgeWorker } from './purge.ts';
export { type WorkerSettings, workerSettings } from './settings.ts';
