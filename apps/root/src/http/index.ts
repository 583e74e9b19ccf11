export { callerAddress, isPassedOn, markPassedOn } from './caller.ts';
export type { CorsPolicy } from './cors.ts';
export { createDualServer } from './dual-server.ts';
export { createHttpApp, type Face, logFailure, pathOf } from './http-app.ts';
export { createJsonBodyReader } from './json-body.ts';
export { addressMatcher, plainHttpPolicy } from './plain-http.ts';
export { problemOf, sendProblem } from './problem.ts';
export { headersOfError, internalErrorMessage, statusOfError } from './status-of-error.ts';
