export { CLUSTER_CAPABILITIES, type ClusterCapability, neededCapabilities } from './capabilities.ts';
export type { JsonObject, ServiceDocument } from './documents.ts';
export { compareEpochs, type Epoch, epochSchema, formatEpoch } from './epoch.ts';
export { type ErrorKind, type ErrorOptions, messageOf, OakestraError, type Violation } from './errors.ts';
export {
  FLEET_CAPABILITY,
  type FleetCommand,
  type FleetReport,
  fleetCommandSchema,
  fleetReportSchema,
  isFleetMessage,
  type LabelOverride,
  labelsSchema,
  type WorkerRow,
  workerRowSchema,
} from './fleet-messages.ts';
export { globalDocument, globalInstanceNumber, isGlobal, selectorOf } from './global-services.ts';
export { type InstanceKey, instanceKey, parseInstanceKey, parseTaskId, taskId } from './instance-key.ts';
export { effectiveLabels, type Labels, labelFault, MOST_LABELS, matchesLabels } from './labels.ts';
export {
  type Changes,
  createMirror,
  createPublisher,
  type Digest,
  type Mirror,
  type Page,
  type Publisher,
  type Received,
  type Row,
  type Source,
  type SyncRequest,
} from './replication/index.ts';
export {
  DEFAULT_FILE_MODE,
  MOST_SEALED_BYTES,
  SEALED_REFERENCES_FIELD,
  type SealedReference,
  type SealedValue,
  sealedReferencesOf,
  sealedVersionKey,
  sealedVersionsOf,
} from './sealed-references.ts';
export { Sensitive } from './sensitive.ts';
export { isStatusWord, NEGATIVE_SCHEDULING_WORDS, STATUS_WORDS, type StatusWord } from './status.ts';
export {
  type AssignCommand,
  commandSchema,
  type DeployCommand,
  deployCommandSchema,
  documentSchema,
  type Greeting,
  greetingSchema,
  INSTANCE_PHASES,
  type InstancePhase,
  type InstanceReport,
  instanceReportSchema,
  type MemberFacts,
  memberFactsSchema,
  type RemoveCommand,
  removeCommandSchema,
  reportSchema,
  type TierCommand,
  type TierReport,
  type Usage,
} from './tier-messages.ts';
