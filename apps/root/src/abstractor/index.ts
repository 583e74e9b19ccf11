export { type AbstractorFaceOptions, createAbstractorFace } from './abstractor-face.ts';
export type {
  AbstractorPorts,
  ApplicationsPort,
  CandidateRecord,
  JobsPort,
  ResourcesPort,
  StoredDocument,
} from './ports.ts';
