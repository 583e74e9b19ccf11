import { type JsonObject, OakestraError } from '@oakestra/contracts';
import type * as z from 'zod';

/** Parses a body. `needs` begins the message that a caller gets whose body is of another shape (`body-invalid`). */
export function checkedBody<T extends z.ZodType>(schema: T, body: JsonObject, needs: string): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const places = [...new Set(violations.map(({ path }) => path))].join(', ');
  throw new OakestraError('invalid', 'body-invalid', `${needs}. Check: ${places}.`, { violations });
}
