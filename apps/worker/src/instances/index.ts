export {
  createWorkerCore,
  type InstanceAction,
  type WorkerCore,
  type WorkerEffects,
} from './core.ts';
export { type InstanceEngine, startInstances } from './engine.ts';
export { createUsageSampler } from './usage.ts';
