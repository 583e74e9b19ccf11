export { createMetrics } from './metrics.ts';
export { operationsFace } from './operations-face.ts';
