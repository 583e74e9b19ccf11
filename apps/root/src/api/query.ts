import { OakestraError } from '@oakestra/contracts';
import type * as z from 'zod';
import { violationsOf } from './violations.ts';

/** Rejects `query-invalid`; parameters that nobody knows are named, since they would silently do nothing. */
export function parsedQuery(schema: z.ZodObject | undefined, given: unknown): unknown {
  const query = (given ?? {}) as Record<string, unknown>;
  const known = new Set(Object.keys(schema?.shape ?? {}));
  const violations = Object.keys(query)
    .filter((name) => !known.has(name))
    .map((path) => ({
      path,
      message: `is not known here${known.size === 0 ? '' : `; there are ${[...known].join(', ')}`}`,
    }));
  const parsed = schema?.safeParse(query);
  if (parsed?.success === false) violations.push(...violationsOf(parsed.error));
  if (violations.length === 0) return parsed?.data;
  const [first] = violations;
  throw new OakestraError('invalid', 'query-invalid', `${first?.path}: ${first?.message}`, { violations });
}
