import { type ParsedSla, parseSla } from './parse.ts';
import { readJson } from './read-json.ts';
import { readYaml } from './read-yaml.ts';
import { type ReadText, TextFault } from './text-fault.ts';

/** `syntax`: the text could not be read at all; `rules`: it was read and violates rules of the SLA. */
export type ParsedSlaText =
  | Extract<ParsedSla, { ok: true }>
  | (Extract<ParsedSla, { ok: false }> & { readonly reason: 'syntax' | 'rules' });

/**
 * Reads a document that came as text: YAML (1.2) when the media type says so, JSON in every other case, because
 * old clients name all kinds of types. A fault is told with line and column and without quoting the text, which may
 * hold secrets. Pure.
 */
export function readDocumentText(text: string, contentType: string | undefined): ReadText {
  try {
    return { ok: true, value: isYaml(contentType) ? readYaml(text) : readJson(text) };
  } catch (error) {
    if (error instanceof TextFault) return { ok: false, message: error.message };
    throw error;
  }
}

/** {@link readDocumentText}, then `parseSla`. */
export function parseSlaText(text: string, contentType?: string): ParsedSlaText {
  const read = readDocumentText(text, contentType);
  if (!read.ok) {
    return { ok: false, reason: 'syntax', violations: [{ path: '(document)', message: read.message }] };
  }
  const parsed = parseSla(read.value);
  return parsed.ok ? parsed : { ...parsed, reason: 'rules' };
}

const YAML_TYPES = new Set(['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml']);

function isYaml(contentType: string | undefined): boolean {
  const [mediaType = ''] = (contentType ?? '').toLowerCase().split(';');
  return YAML_TYPES.has(mediaType.trim()) || mediaType.trim().endsWith('+yaml');
}
