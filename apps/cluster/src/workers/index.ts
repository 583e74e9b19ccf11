export { openWorkerRegistry, type RegisteredWorker, type WorkerRegistry } from './registry.ts';
export { type WorkersSchema, workersMigrations } from './schema.ts';
export { createWorkerSessions, type WorkerSessions } from './sessions.ts';
