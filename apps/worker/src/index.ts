export {
  createWorkerCore,
  type InstanceAction,
  type InstanceEntry,
  type WorkerCore,
  type WorkerEffects,
  type WorkerMeta,
} from './instances/index.ts';
