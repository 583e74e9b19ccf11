import type { endpoints, Operation } from '@oakestra/contracts/api';
import type * as z from 'zod';

type Endpoints = typeof endpoints;
type Field<Name extends Operation, Key extends string> =
  Endpoints[Name] extends Record<Key, infer Value> ? Value : undefined;

/** `applicationId` of `/applications/{applicationId}`. */
type NamesIn<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;
type Parameters<Name extends Operation> = Readonly<Record<NamesIn<Endpoints[Name]['path']>, string | number>>;

/** Present in the type only when the endpoint has it. */
type Part<Key extends string, Value> = [Value] extends [never] ? unknown : Readonly<Record<Key, Value>>;
type OptionalPart<Key extends string, Value> = [Value] extends [never]
  ? unknown
  : Readonly<Partial<Record<Key, Value>>>;
type Input<Schema> = Schema extends z.ZodType ? z.input<Schema> : never;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** The `etag` of what was read: refused with `revision-stale` when somebody changed the definition since. */
  readonly ifMatch?: string;
  /** Makes a repetition harmless; see `docs/api.md`. */
  readonly idempotencyKey?: string;
}

/** What an operation takes. */
export type Request<Name extends Operation> = ([NamesIn<Endpoints[Name]['path']>] extends [never]
  ? unknown
  : { readonly parameters: Parameters<Name> }) &
  OptionalPart<'query', Input<Field<Name, 'query'>>> &
  Part<'body', Input<Field<Name, 'body'>>>;

/** What an operation answers. */
export type Reply<Name extends Operation> =
  Field<Name, 'reply'> extends infer Schema extends z.ZodType ? z.output<Schema> : undefined;

/** Operations that answer once. */
export type PlainOperation = {
  readonly [Name in Operation]: Endpoints[Name] extends { readonly isStream: true } ? never : Name;
}[Operation];
