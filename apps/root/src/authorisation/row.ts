import type { Relation } from './columns.ts';
import type { Target } from './world.ts';

/** One endpoint: who may. The columns are in `columns.ts`. */
export interface Row {
  /** As it is registered: method and pattern of the address. */
  readonly route: string;
  readonly lines: Partial<Readonly<Record<Relation, string>>>;
  /**
   * What the root answers for now where it differs from `lines`, with the reason that it should not. Take it out as soon
   * as the root does what `lines` says.
   */
  readonly yet?: { readonly why: string; readonly lines: Partial<Readonly<Record<Relation, string>>> };
  readonly body?: (target: Target) => unknown;
  /** Of a list, which counts as `+` when its answer contains this. */
  readonly contains?: (target: Target) => string;
  /** Statuses besides 2xx that say that the caller was let in: what is asked for cannot be, for whomever. */
  readonly alsoDone?: readonly number[];
  /** Sends the refresh token of the login where there is one. */
  readonly withRefreshToken?: true;
  readonly isStream?: true;
}
