export { measureApi } from './api.ts';
