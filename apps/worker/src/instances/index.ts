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
export { type InstanceEngine, type RunningInstance, startInstances } from './engine.ts';
export { createUsageSampler, type UsageSampler } from './usage.ts';
