import type { Violation } from '../errors.ts';
import { crossViolations } from './cross-checks.ts';
import { type Sla, slaSchema } from './schema.ts';
import { storabilityViolations } from './storable.ts';
import { violationsOf } from './violations.ts';

export type ParsedSla =
  | { readonly ok: true; readonly sla: Sla }
  | { readonly ok: false; readonly violations: readonly Violation[] };

/**
 * Checks a deployment descriptor as a whole: either the typed document, all its unknown fields kept, or every
 * violation at once (the first 100), each with the path of the field, the rule in plain words and what was given. Pure.
 */
export function parseSla(input: unknown): ParsedSla {
  const unstorable = storabilityViolations(input);
  // A document that nests without end is not worth further reading.
  if (unstorable.length > 0) return { ok: false, violations: unstorable };
  const parsed = slaSchema.safeParse(input);
  const violations = [
    ...(parsed.success ? [] : violationsOf(parsed.error, input)),
    ...crossViolations(input),
  ];
  if (parsed.success && violations.length === 0) return { ok: true, sla: parsed.data };
  return { ok: false, violations: listed(violations) };
}

/** More help nobody, and an answer must not be many times the size of its request. */
const MOST_REPORTED = 100;

/** A value such as -1.5 breaks two clauses of one rule; the author needs to read it once. */
function listed(violations: readonly Violation[]): Violation[] {
  const byText = new Map(
    violations.map((violation) => [`${violation.path}\0${violation.message}`, violation]),
  );
  const all = [...byText.values()];
  if (all.length <= MOST_REPORTED) return all;
  const rest = { path: '(document)', message: `has ${all.length - MOST_REPORTED} more violations` };
  return [...all.slice(0, MOST_REPORTED), rest];
}
