import { type Labels, labelFault, MOST_LABELS, OakestraError } from '@oakestra/contracts';

/** Labels to set; null takes back what was set here, so that the setting of the machine holds again. */
export type LabelChanges = Readonly<Record<string, string | null>>;

/** Rejects `labels-invalid` when there are too many afterwards, or one is not of the form. */
export function withChanges(present: Labels, changes: LabelChanges): Record<string, string> {
  const labels: Record<string, string> = { ...present };
  const violations = [];
  for (const [name, value] of Object.entries(changes)) {
    const message = value === null ? undefined : labelFault(name, value);
    if (message !== undefined) violations.push({ path: `labels.${name}`, message });
    if (value === null) delete labels[name];
    else labels[name] = value;
  }
  if (Object.keys(labels).length > MOST_LABELS) {
    violations.push({ path: 'labels', message: `may be at most ${MOST_LABELS}` });
  }
  const [first] = violations;
  if (first === undefined) return labels;
  throw new OakestraError('invalid', 'labels-invalid', `${first.path}: ${first.message}.`, { violations });
}
