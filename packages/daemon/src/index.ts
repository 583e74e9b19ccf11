export type { CancelTimer, Clock } from './clock.ts';
export type { LogFields, Logger, LogLevel } from './logger.ts';
export { newId, type Random, randomHex } from './random.ts';
