export { type DisconnectPolicy, parseDisconnectPolicy } from './disconnect-policy.ts';
export { type ParsedSla, parseSla } from './parse.ts';
export { type PortMapping, type PortMappings, parsePortMappings } from './port-mapping.ts';
export {
  DEFAULT_STOP_GRACE_SECONDS,
  type Sla,
  type SlaApplication,
  type SlaMicroservice,
  slaSchema,
} from './schema.ts';
export { jobNameOf, type ServiceDocumentSource, serviceDocumentFrom } from './service-document.ts';
