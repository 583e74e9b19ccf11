export { type PortMapping, type PortProtocol, portKey } from '@oakestra/contracts/port-mapping';
export { allocateAddress, gatewayOf, isAssignable, requireHostNetwork } from './address-pool.ts';
export {
  type AddressBook,
  type AddressChange,
  type AddressKind,
  type AddressPair,
  type AddressPlan,
  type AddressPoolSettings,
  type AddressPools,
  type AddressRange,
  type AddressRequest,
  type AddressRow,
  type AddressState,
  type AllocationContext,
  type CursorRow,
  createAddressBook,
  createAddressPools,
  DEFAULT_ADDRESS_POOLS,
  type PoolName,
  type PoolSettings,
  planAllocation,
  planRelease,
  planUndo,
} from './addresses/index.ts';
export {
  type Acceptance,
  acceptanceMark,
  type ForeignChain,
  mayHoldAcceptance,
} from './foreign-firewall.ts';
export {
  connectSteps,
  disconnectSteps,
  flushAfterWithdrawing,
  flushBeforePublishing,
} from './instance-steps.ts';
export {
  formatIpv4,
  formatIpv4Network,
  type Ipv4Network,
  macOf,
  networkContains,
  networksOverlap,
  parseIpv4,
  parseIpv4Network,
  sizeOf,
} from './ipv4.ts';
export {
  type NetworkPlan,
  planFirewalls,
  planNetwork,
  planPurge,
  type WantedNetwork,
  wantedSysctls,
} from './plan.ts';
export {
  findPortConflicts,
  formatPortMappings,
  type PortConflict,
  parsePortMappings,
} from './port-mapping.ts';
export {
  type Publication,
  publishedMap,
  type RuleChange,
  renderRemoval,
  renderRuleChange,
  renderRuleSet,
} from './rule-set.ts';
export { INSTANCE_INTERFACE, type InstanceNetwork, type NetworkSettings } from './settings.ts';
export {
  type CurrentInterface,
  type CurrentNamespace,
  type CurrentNetwork,
  formatInterfaceLabel,
  type InterfaceLabel,
  type PublishedPort,
  parseInterfaceLabel,
} from './snapshot.ts';
export type { ConntrackFilter, NetworkStep } from './steps.ts';
