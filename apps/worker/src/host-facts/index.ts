export { createUsageReader, type NodeFacts, type NodeUsage, readNodeFacts } from './node-facts.ts';
export { registrationInformation } from './node-information.ts';
