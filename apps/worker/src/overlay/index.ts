export type { KnownInstance } from './bring-up.ts';
export {
  type Attachment,
  type AttachRequest,
  createLocalNetwork,
  type LocalNetwork,
  type NetworkStatus,
  type ReconcileResult,
} from './local-network.ts';
export { instanceHosts, instanceResolvConf, readInstanceResolvConf } from './name-files.ts';
export type { LocalNetworkOptions } from './network-options.ts';
export { type PortHolder, portTaken } from './port-book.ts';
