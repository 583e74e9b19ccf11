import type { JsonObject } from '@oakestra/contracts';
import type { ClassicEncoding } from '@oakestra/contracts/classic';
import type { Principal } from '../identity/index.ts';
import type { CallbackCaller } from './callback-access.ts';

export interface Call {
  readonly parameters: Readonly<Record<string, string>>;
  /** The parsed body where the route takes one; otherwise empty. */
  readonly body: JsonObject;
  readonly remoteAddress: string;
}

export interface Reply {
  readonly encoding: ClassicEncoding;
  readonly value: unknown;
}

interface RouteBase {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Without trailing slash; both forms are served (root-api 2.1). */
  readonly path: string;
  /** Default: the body is not looked at, whatever it is. */
  readonly body?: 'json';
  /** All that it needs is in the store: not only the root that leads can answer. Default false. */
  readonly anyRoot?: true;
  /** Default: that of the whole interface. */
  readonly bodyLimitBytes?: number;
}

/** One endpoint. Handlers throw `OakestraError`s; one mapper turns them into answers. */
export type Route = RouteBase &
  (
    | { readonly access: 'public'; handle(call: Call): Promise<Reply> }
    | { readonly access: 'refresh'; handle(call: Call, refreshToken: string): Promise<Reply> }
    | { readonly access: 'peer'; handle(call: Call, caller: CallbackCaller): Promise<Reply> }
    | { readonly access: 'user' | 'admin'; handle(call: Call, caller: Principal): Promise<Reply> }
  );

/** Old clients take nothing but 200 for a success (root-api 2.1), so replies have no status. */
export const plain = (value: unknown): Reply => ({ encoding: 'plain', value });
export const double = (value: unknown): Reply => ({ encoding: 'double', value });
export const bare = (value: string): Reply => ({ encoding: 'bare', value });
export const text = (value: unknown): Reply => ({ encoding: 'text', value });
