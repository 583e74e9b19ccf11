export {
  createRegistrationClient,
  type RegistrationClient,
  type RegistrationClientOptions,
} from './client.ts';
export { type PeerAddress, parsePeerAddress, urlHost } from './peer-address.ts';
export {
  type ClusterGreeting,
  type ClusterRegistration,
  UNKNOWN_LOCATION,
} from './registration-message.ts';
export {
  type RegistrationCaller,
  type RegistrationHandlers,
  type RegistrationService,
  registrationService,
} from './server.ts';
