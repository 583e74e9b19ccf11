import type { z } from 'zod';
import type { Violation } from '../errors.ts';

type Path = readonly PropertyKey[];

const LONGEST_SHOWN = 60;

/**
 * `['applications', 0, 'port']` as `applications[0].port`; a name of the author's own that would be misread is
 * quoted (`config["a.b"]`); the document itself is `(document)`.
 */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w-]{1,60}$/.test(String(step))) text += `[${shortened(JSON.stringify(String(step)))}]`;
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
  if (given === null) return 'null';
  if (Array.isArray(given)) return 'a list';
  if (typeof given === 'object') return 'an object';
  // Environment entries may hold secrets, and errors get copied into tickets: show the name only.
  if (path.includes('environment')) return shownEntry(given);
  return shortened(JSON.stringify(given));
}

function shownEntry(given: unknown): string {
  if (typeof given !== 'string') return given === true || given === false ? 'true or false' : 'a number';
  const end = given.indexOf('=');
  return end < 0 ? 'text without "="' : JSON.stringify(`${shortened(given.slice(0, end))}=...`);
}

function shortened(text: string): string {
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
