export { openWorkerRegistry, type WorkerRegistry } from './registry.ts';
export { type WorkersSchema, workersMigrations } from './schema.ts';
export { createWorkerSessions, type WorkerSessions } from './sessions.ts';
export { openWorkerLabels, type WorkerLabels } from './worker-labels.ts';
export { workerRow } from './worker-row.ts';
export { createWorkerTable } from './worker-table.ts';
