import * as z from 'zod';

/*
 * The leaves of the SLA. Each carries its whole rule as its message; `violations.ts` adds what was given, so a
 * reader sees both without knowing the schema.
 */

export const text = (rule = 'must be text') => z.string({ error: rule });
export const nonEmptyText = (rule: string) => z.string({ error: rule }).regex(/\S/, { error: rule });
export const flag = () => z.boolean({ error: 'must be true or false' });
export const texts = (rule = 'must be a list of texts') => z.array(text(), { error: rule });

/** An integer of at least `minimum`; `1.0` is one, `true` and `"1"` are not. */
export function integer(minimum: number, unit = '') {
  const rule = `must be an integer of ${minimum} or more${unit === '' ? '' : ` (${unit})`}`;
  const schema = z.int({ error: rule }).min(minimum, { error: rule });
  return unit === '' ? schema : schema.describe(unit);
}

/** A number of 0 or more. */
export function amount(unit: string) {
  const rule = `must be a number of 0 or more (${unit})`;
  return z.number({ error: rule }).min(0, { error: rule }).describe(unit);
}

/** Names of applications, services and their namespaces: they become parts of the dotted service name. */
export function name() {
  const rule = 'must be 1 to 30 letters and digits (no spaces, dots, dashes or underscores)';
  return z.string({ error: rule }).regex(/^[a-zA-Z0-9]{1,30}$/, { error: rule });
}

/** An object of which unknown fields are kept. */
export function record<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.looseObject(shape, { error: 'must be an object' });
}

export function list<Item extends z.ZodType>(item: Item) {
  return z.array(item, { error: 'must be a list' });
}
