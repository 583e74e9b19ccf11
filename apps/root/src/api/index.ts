export { apiFace } from './api-face.ts';
export { createIdempotencyKeys, type IdempotencySchema, idempotencyMigrations } from './idempotency.ts';
