export { type Api, openApi, type SeenInstance } from './api.ts';
export { type LoadWatch, watchLoad } from './load.ts';
export { runInOwnNetwork } from './own-network.ts';
export { type System, type SystemOptions, startSystem } from './system.ts';
