export { openApiSchemaOf, slaOpenApiSchema } from './json-schema.ts';
export { type ParsedSla, parseSla } from './parse.ts';
export {
  DEFAULT_STOP_GRACE_SECONDS,
  type Sla,
  type SlaApplication,
  type SlaMicroservice,
  slaSchema,
} from './schema.ts';
export { type ServiceDocumentSource, serviceDocumentFrom } from './service-document.ts';
export { type ParsedSlaText, parseSlaText, readDocumentText } from './text.ts';
export type { ReadText } from './text-fault.ts';
