export { identityUri, type PeerIdentity, type PeerRole, peerIdentity, peerRoles } from './peer-identity.ts';
export { openSealingKeys } from './sealing/key-file.ts';
export { createSealer, type Sealer } from './sealing/sealer.ts';
export {
  parseTlsIdentity,
  readTlsIdentity,
  type TlsIdentity,
  type TlsIdentityPaths,
} from './tls-identity.ts';
export {
  checkServerRole,
  requirePeer,
  type TlsClientOptions,
  type TlsClientPolicy,
  type TlsServerPolicy,
  tlsClientOptions,
  tlsServerOptions,
  verifiedPeer,
} from './tls-options.ts';
