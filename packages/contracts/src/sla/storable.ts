import type { Violation } from '../errors.ts';
import { pathText } from './violations.ts';

const DEEPEST = 32;

/**
 * What no part of the chain could keep or pass on: NUL characters (no argument vector, environment or
 * database text holds them), halves of characters, numbers that JSON cannot write, and nesting that serialisers
 * give up on. Applies to unknown fields too.
 */
export function storabilityViolations(input: unknown): Violation[] {
  const violations: Violation[] = [];
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value === 'string') {
      const fault = textFault(value);
      if (fault !== undefined)
        violations.push({ path: pathText(path), message: `must not contain ${fault}` });
      return;
    }
    if (typeof value === 'number' && !Number.isFinite(value)) {
      violations.push({ path: pathText(path), message: 'must be a number within the range of a double' });
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (path.length >= DEEPEST) {
      violations.push({ path: pathText(path), message: `is nested deeper than ${DEEPEST} levels` });
      return;
    }
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, [...path, index]);
      return;
    }
    for (const [key, item] of Object.entries(value)) {
      const fault = textFault(key);
      if (fault === undefined) visit(item, [...path, key]);
      else violations.push({ path: pathText(path), message: `has a field whose name contains ${fault}` });
    }
  };
  visit(input, []);
  return violations;
}

function textFault(text: string): string | undefined {
  if (text.includes('\0')) return 'the NUL character';
  return /\p{Surrogate}/u.test(text) ? 'half of a character (a lone surrogate)' : undefined;
}
