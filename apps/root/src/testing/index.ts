export { createFakeClusters, createFakeDeployments, createFakeLegacyClusters } from './core-fakes.ts';
export {
  IDLE_RESOURCES,
  type OriginalCluster,
  runningInstance,
  startOriginalCluster,
} from './original-cluster.ts';
export { reportWorkers, WORKER, WORKER_ID } from './reported-workers.ts';
export { ADMIN_PASSWORD, type RunningRoot, runRoot, testSettings } from './run-root.ts';
export { createTestCluster } from './test-cluster.ts';
export { openTestSealedObjects } from './test-sealed-objects.ts';
