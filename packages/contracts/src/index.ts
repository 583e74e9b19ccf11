export type { JsonObject, ServiceDocument } from './documents.ts';
export { type ErrorKind, type ErrorOptions, messageOf, OakestraError, type Violation } from './errors.ts';
export { Sensitive } from './sensitive.ts';
export { isStatusWord, NEGATIVE_SCHEDULING_WORDS, STATUS_WORDS, type StatusWord } from './status.ts';
