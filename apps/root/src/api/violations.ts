import type { Violation } from '@oakestra/contracts';
import type * as z from 'zod';

/** Every rule that was broken, with its place. */
export function violationsOf({ issues }: z.ZodError): Violation[] {
  return issues.map(({ path, message }) => ({
    path: path.length === 0 ? '(the whole)' : path.map(String).join('.'),
    message,
  }));
}
