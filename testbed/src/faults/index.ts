export { freeze, freezeCgroup, killNow, thaw, thawCgroup } from './signals.ts';
export { startTcpRelay, type TcpRelay } from './tcp-relay.ts';
