export { openPeers, type Peers } from './open-peers.ts';
