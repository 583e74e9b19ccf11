export type { Api } from './api.ts';
export { watchLoad } from './load.ts';
export { runInOwnNetwork } from './own-network.ts';
export { type System, startSystem } from './system.ts';
