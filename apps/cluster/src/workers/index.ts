export { aggregateFacts, differsNotably } from './aggregate.ts';
export { openWorkerRegistry, type RegisteredWorker, type WorkerRegistry } from './registry.ts';
export { type WorkersSchema, workersMigrations } from './schema.ts';
