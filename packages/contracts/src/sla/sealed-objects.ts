import type * as z from 'zod';
import type { Violation } from '../errors.ts';
import { integer, nonEmptyText, record, text } from './rules.ts';

/*
 * `secrets` and `configs` of a microservice: what it gets as environment or as files. They name objects of the owner;
 * whether these exist is checked by who knows them.
 */

const environment = text('must be the name of a variable').regex(/^[^=\s]+$/, {
  error: 'must be the name of a variable, without "=" and spaces',
});

const file = text('must be a path inside of the container').superRefine((path, context) => {
  const fault = pathFault(path);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const modeRule = 'must be text of three octal digits, such as "0400"';
const mode = text(modeRule).regex(/^0?[0-7]{3}$/, { error: modeRule });
const ownerRule = 'must be "<uid>:<gid>" in numbers, such as "1000:1000"';
const owner = text(ownerRule).regex(/^\d{1,9}:\d{1,9}$/, { error: ownerRule });

const place = {
  environment: environment.describe('The variable that has it as its value.').optional(),
  file: file.describe('Or the file that has it as its content.').optional(),
  mode: mode.describe('Of the file; default "0444".').optional(),
  owner: owner.describe('Of the file, "<uid>:<gid>"; default "0:0".').optional(),
  version: integer(1).describe('Default: the newest at the time of the deployment.').optional(),
};

export const secretReference = placed(record({ secret: nonEmptyText('must name a secret'), ...place }));
export const configReference = placed(record({ config: nonEmptyText('must name a config'), ...place }));

type Place = Partial<Readonly<Record<keyof typeof place, unknown>>>;

function placed<Schema extends z.ZodType<Place>>(schema: Schema) {
  return schema.superRefine((given: Place, context) => {
    const isFile = given.file !== undefined;
    if (isFile === (given.environment !== undefined)) {
      const message = 'must have either environment (a variable) or file (a path)';
      context.addIssue({ code: 'custom', message });
    }
    for (const field of ['mode', 'owner'] as const) {
      if (isFile || given[field] === undefined) continue;
      context.addIssue({ code: 'custom', path: [field], message: 'is for files only' });
    }
  });
}

const MOST_REFERENCES = 32;

/** Rules over all references of a service: each variable and each path once, not too many. */
export function sealedReferenceViolations(
  path: string,
  service: Readonly<Record<string, unknown>>,
): Violation[] {
  const references = (['secrets', 'configs'] as const).flatMap((field) => {
    const list: unknown = service[field];
    if (!Array.isArray(list)) return [];
    return list.map((item: unknown, index) => ({ path: `${path}.${field}[${index}]`, item: item as Place }));
  });
  const violations: Violation[] = [];
  if (references.length > MOST_REFERENCES) {
    const message = `has ${references.length} secrets and configs; at most ${MOST_REFERENCES} are possible`;
    violations.push({ path, message });
  }
  const seen = new Map<string, string>();
  for (const name of variablesOf(service)) seen.set(`environment ${name}`, `${path}.environment`);
  for (const { path: place, item } of references) {
    for (const field of ['environment', 'file'] as const) {
      const value = item?.[field];
      if (typeof value !== 'string') continue;
      const first = seen.get(`${field} ${value}`);
      seen.set(`${field} ${value}`, first ?? place);
      if (first === undefined) continue;
      violations.push({ path: `${place}.${field}`, message: `names what ${first} has already` });
    }
  }
  return violations;
}

function variablesOf({ environment: entries }: Readonly<Record<string, unknown>>): string[] {
  if (!Array.isArray(entries)) return [];
  return entries.filter((entry) => typeof entry === 'string').map((entry) => entry.split('=')[0] as string);
}

const KERNEL_FOLDERS = /^\/(proc|sys|dev)\//;
const OURS = ['/etc/hosts', '/etc/resolv.conf'];

function pathFault(path: string): string | undefined {
  if (!path.startsWith('/') || path.length > 255) return 'must be an absolute path of at most 255 characters';
  const parts = path.slice(1).split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return 'must be a plain path to a file, without "//", "." and ".."';
  }
  if (KERNEL_FOLDERS.test(path)) return 'must not be below /proc, /sys or /dev';
  return OURS.includes(path) ? 'is written by the worker itself' : undefined;
}
