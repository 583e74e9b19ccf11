export type { HostSpawnOptions, TestHost } from './host.ts';
export type { Endpoint } from './link-faults.ts';
export {
  createTestNetwork,
  NAMESPACE_FOLDER,
  removeLink,
  removeNamespace,
  type TestNetwork,
  type TestNetworkOptions,
} from './network.ts';
export { NETWORK_PREFIX } from './plan.ts';
