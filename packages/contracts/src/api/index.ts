export {
  type ApplicationDocument,
  type ClusterResource,
  EVENT_KINDS,
  type EventKind,
  type EventResource,
  type InstanceResource,
  type ServiceResource,
  type WorkerResource,
} from './documents.ts';
export { type Endpoint, statusOf } from './endpoint.ts';
export { endpoints, type Operation } from './endpoints.ts';
export { API_BASE, openApiDocument, parametersOf } from './openapi.ts';
export type { Page } from './pages.ts';
export { type Problem, problemSchema } from './problem.ts';
export type { SealedObjectResource } from './sealed-objects.ts';
