export { createFakeClusters, createFakeDeployments } from './core-fakes.ts';
export { reportWorkers, WORKER, WORKER_ID } from './reported-workers.ts';
export { openTestSealedObjects } from './test-sealed-objects.ts';
