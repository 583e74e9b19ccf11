export { rootActions } from './actions.ts';
export { openRootCertificates, type RootCertificates } from './certificates.ts';
export { composeRoot, type RootContext } from './compose.ts';
export { createRootCore, type RootCore, type RootEffects, type ServiceRecord } from './deployments/index.ts';
export { type RootSettings, rootSettings } from './settings.ts';
