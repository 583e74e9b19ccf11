export { type AbstractorFaceOptions, createAbstractorFace } from './abstractor-face.ts';
export { type AbstractorAccess, abstractorAccess } from './access.ts';
export { type CoreParts, createCorePorts } from './core-ports.ts';
export { createKeyFace, type KeyFaceOptions } from './key-face.ts';
export type {
  AbstractorPorts,
  ApplicationsPort,
  CandidateRecord,
  JobsPort,
  ResourcesPort,
  StoredDocument,
} from './ports.ts';
