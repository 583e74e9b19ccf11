export type { Deployments, InstanceView, ServiceView } from './deployments.ts';
export { createRootCore, type RootCore, type RootCoreOptions, type RootEffects, type ServiceRecord } from './core.ts';
