import type { JsonObject } from '@oakestra/contracts';
import type { endpoints, Operation } from '@oakestra/contracts/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import type { Caller } from '../identity/index.ts';

type Endpoints = typeof endpoints;
type Part<Name extends Operation, Key extends string> =
  Endpoints[Name] extends Record<Key, infer Schema> ? Schema : undefined;
type Parsed<Schema> = Schema extends z.ZodType ? z.infer<Schema> : undefined;

export interface ApiCall<Name extends Operation> {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Parsed<Part<Name, 'query'>>;
  readonly body: Endpoints[Name] extends { takesSla: true } ? JsonObject : Parsed<Part<Name, 'body'>>;
  readonly caller: Caller;
  /** Throws `revision-stale` when the request demands another definition than this resource has. */
  requireMatch(resource: unknown): void;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

type Reply<Name extends Operation> = Endpoints[Name] extends { isStream: true }
  ? undefined
  : Endpoints[Name] extends { reply: infer Schema extends z.ZodType }
    ? z.input<Schema>
    : undefined;

/** One handler for each operation: a missing one does not compile. They throw `OakestraError`s. */
export type ApiHandlers = {
  readonly [Name in Operation]: (call: ApiCall<Name>) => Promise<Reply<Name>>;
};

/** Some of them. */
export type SomeHandlers<Names extends Operation> = Pick<ApiHandlers, Names>;
