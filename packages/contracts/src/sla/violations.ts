import type { z } from 'zod';
import type { Violation } from '../errors.ts';

type Path = readonly PropertyKey[];

const LONGEST_SHOWN = 60;

/** `['applications', 0, 'port']` as `applications[0].port`; the document itself is `(document)`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text === '' ? '(document)' : text;
}

/** What zod found, in plain words: the rule and what was given instead. */
export function violationsOf(error: z.ZodError, input: unknown): Violation[] {
  return error.issues.map((issue) => {
    const given = valueAt(input, issue.path);
    return { path: pathText(issue.path), message: describe(issue.message, given, issue.path) };
  });
}

function describe(rule: string, given: unknown, path: Path): string {
  if (given === undefined) return `is required: ${rule}`;
  return `${rule}, not ${shown(given, path)}`;
}

function shown(given: unknown, path: Path): string {
  if (Array.isArray(given)) return 'a list';
  if (typeof given === 'object' && given !== null) return 'an object';
  // Environment entries may hold secrets, and errors get copied into tickets: show the name only.
  if (typeof given === 'string' && path.includes('environment')) {
    const end = given.indexOf('=');
    return end < 0 ? 'text without "="' : JSON.stringify(`${given.slice(0, end)}=...`);
  }
  const text = JSON.stringify(given);
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}...`;
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}
