export { freeze, freezeCgroup, killNow, thaw, thawCgroup } from './signals.ts';
export { startTcpRelay, type TcpRelay, type TcpRelayOptions } from './tcp-relay.ts';
