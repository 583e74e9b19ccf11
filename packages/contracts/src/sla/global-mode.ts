import type { Violation } from '../errors.ts';
import { labelFault } from '../labels.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What does not go together with `mode: global`, or means nothing without it. */
export function globalModeViolations(path: string, fields: Fields): Violation[] {
  const isGlobal = fields.mode === 'global';
  const meaningless = isGlobal ? [] : (['selector', 'overrides'] as const).filter((name) => name in fields);
  const violations = meaningless.map((name) => ({
    path: `${path}.${name}`,
    message: 'means nothing without mode: global; add that, or leave this out',
  }));
  if (isGlobal && fields.one_shot === true) {
    const message = 'cannot be combined with mode: global: every worker keeps one instance running';
    violations.push({ path: `${path}.one_shot`, message });
  }
  for (const tier of ['cluster', 'worker']) {
    const labels = (fields.selector as Fields | undefined)?.[tier];
    if (typeof labels !== 'object' || labels === null) continue;
    for (const [name, value] of Object.entries(labels)) {
      const message = typeof value === 'string' ? labelFault(name, value) : undefined;
      if (message !== undefined) violations.push({ path: `${path}.selector.${tier}.${name}`, message });
    }
  }
  return violations;
}
