export { createUplink } from './uplink.ts';
