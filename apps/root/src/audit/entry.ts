/** `refused`: somebody was not allowed to, or gave a wrong password; `failed`: allowed, but it did not work. */
export type AuditOutcome = 'done' | 'refused' | 'failed';

/** Who does something. Nothing but the name is needed, so that failed logins have an actor, too. */
export interface AuditActor {
  readonly userId?: string;
  readonly userName: string;
  /** Network address; absent for what the root does by itself. */
  readonly address?: string;
}

export interface AuditObject {
  /** A noun of the vocabulary: `user`, `organisation`, `application`, … */
  readonly kind: string;
  readonly id: string;
  readonly name?: string;
}

/** Facts that are no secrets. Values under names that sound like a secret are masked all the same. */
export type AuditDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface AuditEvent {
  readonly actor: AuditActor;
  /** What was done, as `noun.verb`: `user.create`, `session.login`. */
  readonly action: string;
  readonly object: AuditObject;
  /** Default `done`. */
  readonly outcome?: AuditOutcome;
  readonly details?: AuditDetails;
}

export interface AuditEntry extends Required<Omit<AuditEvent, 'actor' | 'object'>> {
  readonly id: string;
  readonly atMs: number;
  readonly actor: Required<AuditActor>;
  readonly object: Required<AuditObject>;
}
