export { createFakeClusters, createFakeDeployments } from './core-fakes.ts';
