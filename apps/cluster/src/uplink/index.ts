export { openRootProxy } from './root-proxy.ts';
export { createUplink, type FleetEnd, type Uplink } from './uplink.ts';
