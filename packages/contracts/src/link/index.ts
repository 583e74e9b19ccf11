export { type AcceptorOptions, createLinkAcceptor, type LinkAcceptor } from './accept.ts';
export { LINK_CLASSES, type LinkClass, type LinkSide, type PerClass } from './classes.ts';
export { type LinkConnection, type OpenLinkOptions, openLink, type SendOptions } from './connection.ts';
export {
  type ConnectTransport,
  type DialFailure,
  type DialOptions,
  dialLink,
  type LinkDialer,
} from './dial.ts';
export type { ByeReason } from './frame.ts';
export type { HelloInfo, Received } from './hello.ts';
export { createLinkLedger, type LinkGap, type LinkLedger } from './ledger.ts';
export { describeLinkEnd, type LinkEnd, type LinkResetCode } from './link-end.ts';
export type { LinkStream, StreamEnd } from './link-stream.ts';
export { createMemoryLink, type MemoryLink, type MemoryLinkOptions } from './memory-transport.ts';
export type { LinkEpoch, LinkMessage } from './message.ts';
export type { LinkClock, LinkLog, LinkRandom } from './ports.ts';
export type { DropReason } from './send-source.ts';
export { DEFAULT_LINK_SETTINGS, type LinkIdentity, type LinkSettings } from './session.ts';
export type { StreamMetadata } from './stream-table.ts';
export type { LinkTransport, TransportEvents } from './transport.ts';
