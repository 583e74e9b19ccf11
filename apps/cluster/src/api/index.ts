export { createClusterApi } from './api.ts';
