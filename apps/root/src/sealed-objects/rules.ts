import { OakestraError, type Violation } from '@oakestra/contracts';
import type { GivenContent, SealedKind } from './sealed-objects.ts';

const MOST_BYTES: Readonly<Record<SealedKind, number>> = { secret: 64 * 1024, config: 1024 * 1024 };
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/;
/** What looks like an id would hide the object that has it. */
const ID = /^[0-9a-f]{24}$/;

export interface CheckedContent {
  readonly bytes: Uint8Array;
  readonly isText: boolean;
}

/** Throws `sealed-object-invalid` with every violation; none of them quotes the content. */
export function checkedContent(kind: SealedKind, given: GivenContent): CheckedContent {
  const content = contentOf(given);
  if ('message' in content) throw invalid([content]);
  const most = MOST_BYTES[kind];
  if (content.bytes.length > most) {
    const path = given.text === undefined ? 'base64' : 'text';
    const message = `has ${content.bytes.length} bytes; a ${kind} has at most ${most} (${most / 1024} KiB)`;
    throw invalid([{ path, message }]);
  }
  return content;
}

export function requireName(name: string): void {
  if (NAME.test(name) && !ID.test(name)) return;
  const message =
    'must be 1 to 63 letters, digits, ".", "_" and "-", begin with a letter or digit, and not look like an id';
  throw invalid([{ path: 'name', message }]);
}

export function requireDescription(description: string | undefined): void {
  if (description?.includes('\0') !== true) return;
  throw invalid([{ path: 'description', message: 'must not contain the NUL character' }]);
}

function invalid(violations: readonly Violation[]): OakestraError {
  const [first] = violations;
  return new OakestraError('invalid', 'sealed-object-invalid', `${first?.path}: ${first?.message}.`, {
    violations,
  });
}

function contentOf({ text, base64 }: GivenContent): CheckedContent | Violation {
  if ((text === undefined) === (base64 === undefined)) {
    return { path: 'text', message: 'give the content either as text or as base64' };
  }
  if (text !== undefined) {
    // What has no UTF-8 would come out as something else than what was put in.
    if (/\p{Surrogate}/u.test(text))
      return { path: 'text', message: 'contains half of a character; send base64' };
    return { bytes: Buffer.from(text), isText: !text.includes('\0') };
  }
  const bytes = Buffer.from(base64 ?? '', 'base64');
  const isCanonical = bytes.toString('base64').replace(/=+$/, '') === base64?.replace(/=+$/, '');
  if (!isCanonical) return { path: 'base64', message: 'is no base64 (of the alphabet with "+" and "/")' };
  return { bytes, isText: isText(bytes) };
}

function isText(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
