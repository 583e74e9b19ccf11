export type { Deployments, InstanceView, ServiceView } from './deployments.ts';
