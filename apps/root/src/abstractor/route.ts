import { type JsonObject, OakestraError } from '@oakestra/contracts';
import type { ClassicEncoding } from '@oakestra/contracts/classic';

export interface AbstractorCall {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The parsed body where the route takes one; otherwise empty. */
  readonly body: JsonObject;
}

export interface AbstractorAnswer {
  readonly status: number;
  /** Undefined: no body. */
  readonly body?: { readonly encoding: ClassicEncoding; readonly value: unknown };
}

/** One endpoint; the document of the interface is made from these. */
export interface AbstractorRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without trailing slash; both forms are served. */
  readonly path: string;
  /** Everything but the state of the service itself needs to be allowed by `authorize`. */
  readonly access: 'public' | 'authorized';
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: 'json';
  handle(call: AbstractorCall): Promise<AbstractorAnswer>;
}

/** Plain JSON. */
export const plain = (value: unknown, status = 200): AbstractorAnswer => ({
  status,
  body: { encoding: 'plain', value },
});
/** JSON under the content type of a page, as the original sends applications and jobs (root-api 11). */
export const text = (value: unknown): AbstractorAnswer => ({
  status: 200,
  body: { encoding: 'text', value },
});
export const empty = (status: number): AbstractorAnswer => ({ status });

/** An id as the original's databases give them. */
export function idFrom(value: string | undefined): string {
  if (value !== undefined && /^[0-9a-f]{24}$/i.test(value)) return value.toLowerCase();
  throw new OakestraError('invalid', 'id-malformed', `"${value}" is no id: an id has 24 hexadecimal digits.`);
}

export function notFound(what: string, id: string): OakestraError {
  return new OakestraError('not-found', `${what}-not-found`, `There is no ${what} ${id}.`);
}

/** Documents whose fields are what the query says, for the fields that it may name. */
export function matching<Document extends JsonObject>(
  documents: readonly Document[],
  query: Readonly<Record<string, string>>,
  names: readonly string[],
): Document[] {
  const asked = names.filter((name) => query[name] !== undefined);
  return documents.filter((document) => asked.every((name) => document[name] === query[name]));
}
