export { createCourier } from './courier.ts';
export { openSealedObjects } from './open-sealed-objects.ts';
export { type SealedObjectsSchema, sealedObjectsMigrations } from './schema.ts';
export type { SealedKind, SealedObject, SealedObjects } from './sealed-objects.ts';
