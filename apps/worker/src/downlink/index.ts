export { createDownlink, type Downlink } from './downlink.ts';
