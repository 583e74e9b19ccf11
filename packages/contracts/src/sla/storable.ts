import type { Violation } from '../errors.ts';
import { pathText } from './violations.ts';

const DEEPEST = 32;

/**
 * What no part of the chain could keep or pass on: NUL characters (no argument vector, environment or
 * database text holds them) and nesting that serialisers give up on. Applies to unknown fields too.
 */
export function storabilityViolations(input: unknown): Violation[] {
  const violations: Violation[] = [];
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value === 'string') {
      if (value.includes('\0')) {
        violations.push({ path: pathText(path), message: 'must not contain the NUL character' });
      }
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
      if (key.includes('\0')) {
        violations.push({
          path: pathText(path),
          message: 'has a field whose name contains the NUL character',
        });
      } else visit(item, [...path, key]);
    }
  };
  visit(input, []);
  return violations;
}
