/** What operators say about clusters and workers: `zone=north`, `gpu=`. */
export type Labels = Readonly<Record<string, string>>;

const NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9._/-]{0,61}[a-zA-Z0-9])?$/;
const VALUE = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?$/;
/** Of one cluster or worker. */
export const MOST_LABELS = 64;

/** What is wrong with a label, for people; undefined: nothing. */
export function labelFault(name: string, value: string): string | undefined {
  if (!NAME.test(name)) {
    return `the label name "${name}" must be 1 to 63 letters, digits, ".", "_", "-" or "/", with a letter or digit at both ends`;
  }
  return VALUE.test(value)
    ? undefined
    : `the value of the label "${name}" must be empty or 1 to 63 letters, digits, ".", "_" or "-", with a letter or digit at both ends`;
}

/** What holds when both are said: the settings of the machine, and what was set over the API, which wins. */
export function effectiveLabels(own: Labels, overrides: Labels): Labels {
  return { ...own, ...overrides };
}

/** Does it have every label of the selector? An empty selector matches everything. */
export function matchesLabels(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
