import { OakestraError, type Violation } from '@oakestra/contracts';
import { type ApplicationRecord, uniqueNameOf } from './application-table.ts';
import type { ApplicationChanges } from './applications.ts';

const NAME = /^[a-zA-Z0-9]{1,30}$/;
const LONGEST_DESCRIPTION = 10_000;

/** The record with the changes, or what is wrong with them, all at once. */
export function changedApplication(
  record: ApplicationRecord,
  changes: ApplicationChanges,
  hasServices: boolean,
): ApplicationRecord {
  const { name = record.name, namespace = record.namespace, description } = changes;
  const violations: Violation[] = [
    ...nameViolations('application_name', name),
    ...nameViolations('application_namespace', namespace),
    ...descriptionViolations(description),
  ];
  if (violations.length > 0 || typeof name !== 'string' || typeof namespace !== 'string') {
    const [first] = violations;
    throw new OakestraError('invalid', 'application-invalid', `${first?.path} ${first?.message}.`, {
      violations,
    });
  }
  const isRenamed = name !== record.name || namespace !== record.namespace;
  if (isRenamed && hasServices) {
    throw new OakestraError(
      'conflict',
      'application-named',
      'The application has services, and their names contain its own; remove them first, or keep the name.',
    );
  }
  return {
    ...record,
    name,
    namespace,
    uniqueName: isRenamed ? uniqueNameOf({ name, namespace }) : record.uniqueName,
    document: {
      ...record.document,
      ...{ application_name: name, application_namespace: namespace },
      ...(description === undefined ? {} : { application_desc: description }),
    },
  };
}

function nameViolations(path: string, value: unknown): Violation[] {
  if (typeof value === 'string' && NAME.test(value)) return [];
  return [{ path, message: 'must be 1 to 30 letters and digits' }];
}

function descriptionViolations(value: unknown): Violation[] {
  if (value === undefined || (typeof value === 'string' && value.length <= LONGEST_DESCRIPTION)) return [];
  return [
    { path: 'application_desc', message: `must be a text of at most ${LONGEST_DESCRIPTION} characters` },
  ];
}
