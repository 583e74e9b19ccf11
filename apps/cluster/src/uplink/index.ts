export { createUplink, type FleetEnd, type Uplink } from './uplink.ts';
