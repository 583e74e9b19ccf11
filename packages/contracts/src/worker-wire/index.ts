export { decodeDeploy, decodeRemove, encodeDeploy, encodeRemove } from './commands.ts';
export {
  type NodeRegistration,
  type NodeRegistrationAnswer,
  nodeRegistrationAnswerSchema,
  nodeRegistrationSchema,
  presenceSchema,
} from './registration.ts';
export {
  parseWorkerTopic,
  TIER_CAPABILITY,
  type WorkerTopic,
  workerTopic,
  workerTopicPrefix,
} from './topics.ts';
