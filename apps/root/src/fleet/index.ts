export { type Fleet, openFleet, type WorkerView, workerNotFound } from './fleet.ts';
export { type FleetSchema, fleetMigrations } from './schema.ts';
