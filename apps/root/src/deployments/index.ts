export {
  createRootCore,
  type RootCore,
  type RootEffects,
  type ServiceRecord,
} from './core.ts';
export type { Deployments, InstanceView, ServiceView } from './deployments.ts';
export { type DeploymentEngine, startDeployments } from './engine.ts';
export { type DeploymentsSchema, deploymentsMigrations } from './schema.ts';
