export { createUsageReader, type NodeFacts, type NodeUsage, readNodeFacts } from './node-facts.ts';
export {
  type NodeInformation,
  type Registration,
  registrationInformation,
  usageInformation,
} from './node-information.ts';
export { type PrimaryAddressOptions, readPrimaryAddress } from './primary-address.ts';
