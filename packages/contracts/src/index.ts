export { type ErrorKind, type ErrorOptions, messageOf, OakestraError, type Violation } from './errors.ts';
export { Sensitive } from './sensitive.ts';
