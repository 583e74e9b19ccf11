export {
  createLocalNetwork,
  type LocalNetwork,
} from './local-network.ts';
export { instanceHosts, readInstanceResolvConf } from './name-files.ts';
