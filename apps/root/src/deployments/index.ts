export { createRootCore, type RootCore, type RootEffects } from './core.ts';
export type { Deployments, InstanceView, PlacementView, ServiceView } from './deployments.ts';
export { type DeploymentEngine, startDeployments } from './engine.ts';
export { defaultRolloutSettings, type RolloutSettings } from './rollout.ts';
export { type DeploymentsSchema, deploymentsMigrations } from './schema.ts';
export type { ServiceRecord } from './service-record.ts';
