export { createRootCore, type RootCore, type RootEffects, type ServiceRecord } from './deployments/index.ts';
