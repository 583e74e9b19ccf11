export {
  type ClusterReport,
  type ReportedInstance,
  type ReportedJob,
  type ReportedResources,
  readClusterReport,
} from './cluster-report.ts';
export { type ClassicCluster, type ClassicClusterFigures, clusterToWire } from './clusters.ts';
export {
  applicationToWire,
  type ClassicApplication,
  type ClassicHistoryEntry,
  type ClassicInstance,
  type ClassicService,
  instanceToWire,
  serviceToWire,
  type WireId,
  wireId,
} from './documents.ts';
export { type ClassicEncoding, type EncodedBody, encodeBody } from './encodings.ts';
export {
  type ClassicError,
  errorToWire,
  malformedJsonToWire,
  notAnObjectToWire,
  tokenErrorToWire,
} from './errors.ts';
export { type ClassicDeployment, deploymentToWire } from './job-document.ts';
export { type LoginRequest, loginRequestSchema } from './requests.ts';
export { classicStatus } from './status.ts';
export {
  type ClassicOrganisation,
  type ClassicUser,
  type OrganisationRequest,
  organisationRequestSchema,
  organisationToWire,
  passwordChangeRequestSchema,
  passwordResetConfirmationSchema,
  passwordResetRequestSchema,
  registerRequestSchema,
  userChangeRequestSchema,
  userToWire,
} from './users.ts';
