export { type Answer, type Client, type ClientOptions, createClient, type ListOperation } from './client.ts';
export { ProblemError } from './problem-error.ts';
export type { CallOptions, PlainOperation, Reply, Request } from './types.ts';
