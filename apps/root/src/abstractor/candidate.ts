import type { JsonObject, Violation } from '@oakestra/contracts';

/** Fields that a list shows by default (root-api 11.1). */
const CANONICAL = [
  ...['_id', 'candidate_name', 'candidate_location', 'ip', 'port', 'active_nodes', 'cpu_percent', 'vcpus'],
  ...['memory', 'memory_percent', 'vram', 'vram_percent', 'vgpus', 'gpu_percent', 'gpu_temp', 'gpu_drivers'],
  ...['virtualization', 'supported_addons', 'csi_drivers', 'cpu_history', 'memory_history'],
];

type Kind = 'text' | 'integer' | 'number' | 'flag' | 'object' | 'texts' | 'list';

const KIND_OF: Readonly<Record<string, Kind>> = {
  ...{ candidate_name: 'text', candidate_location: 'text', ip: 'text', port: 'text', architecture: 'text' },
  ...{
    active_nodes: 'integer',
    memory: 'integer',
    vcpus: 'integer',
    vgpus: 'integer',
    gpu_percent: 'integer',
  },
  ...{ cpu_percent: 'number', memory_percent: 'number', last_modified_timestamp: 'number' },
  ...{ active: 'flag', aggregation_per_architecture: 'object' },
  ...{ virtualization: 'texts', supported_addons: 'texts', csi_drivers: 'list' },
};

const RULE: Readonly<Record<Kind, string>> = {
  text: 'must be text',
  integer: 'must be an integer',
  number: 'must be a number',
  flag: 'must be true or false',
  object: 'must be an object',
  texts: 'must be a list of texts, or null',
  list: 'must be a list, or null',
};

export type CheckedCandidate =
  | { readonly ok: true; readonly fields: JsonObject }
  | { readonly ok: false; readonly violations: readonly Violation[] };

/** The body of a write with its types made right; fields that we do not know stay as they are. */
export function checkCandidate(body: JsonObject): CheckedCandidate {
  const fields: Record<string, unknown> = {};
  const violations: Violation[] = [];
  for (const [name, value] of Object.entries(body)) {
    // Ids are ours to give.
    if (name === '_id') continue;
    const kind = Object.hasOwn(KIND_OF, name) ? KIND_OF[name] : undefined;
    const read = kind === undefined ? value : READ[kind](value);
    if (read === undefined && kind !== undefined) violations.push({ path: name, message: RULE[kind] });
    else fields[name] = read;
  }
  return violations.length > 0 ? { ok: false, violations } : { ok: true, fields };
}

/** Undefined: not of this kind. */
const READ: Readonly<Record<Kind, (value: unknown) => unknown>> = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  integer(value) {
    if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value);
    return typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : undefined;
  },
  number(value) {
    if (typeof value === 'string' && value.trim() === '') return undefined;
    const number = typeof value === 'string' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
  },
  flag: (value) => (typeof value === 'boolean' ? value : readFlag(value)),
  object: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
  texts: (value) =>
    value === null || (Array.isArray(value) && value.every((item) => typeof item === 'string'))
      ? value
      : undefined,
  list: (value) => (value === null || Array.isArray(value) ? value : undefined),
};

/** The words that the original takes for true and false; undefined: none of them. */
export function readFlag(value: unknown): boolean | undefined {
  const word = typeof value === 'number' || typeof value === 'string' ? String(value).toLowerCase() : '';
  if (['true', 't', 'yes', 'y', 'on', '1'].includes(word)) return true;
  return ['false', 'f', 'no', 'n', 'off', '0'].includes(word) ? false : undefined;
}

/** What answers about one candidate contain: its id and the typed fields that it has. */
export function itemView(document: JsonObject): JsonObject {
  return pick(document, ['_id', ...Object.keys(KIND_OF)]);
}

/** What a list contains: the canonical fields and the asked ones. */
export function listView(document: JsonObject, isActive: boolean, further: readonly string[]): JsonObject {
  return pick({ ...document, active: isActive }, [...new Set([...CANONICAL, ...further])]);
}

function pick(document: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(document, name) ? [[name, document[name]]] : [])),
  );
}

const LONGEST_HISTORY = 100;

/** A report merged into a candidate: stamped, and one more entry in the two histories (root-api 11.1). */
export function withReport(document: JsonObject, report: JsonObject, nowMs: number): JsonObject {
  const timestamp = nowMs / 1000;
  const { cpu_history: _cpu, memory_history: _memory, ...fields } = report;
  const history = (name: string, value: unknown) => {
    const entries = Array.isArray(document[name]) ? document[name] : [];
    return [...entries, { value: value ?? null, timestamp }].slice(-LONGEST_HISTORY);
  };
  return {
    ...document,
    ...fields,
    last_modified: new Date(nowMs).toISOString(),
    last_modified_timestamp: timestamp,
    cpu_history: history('cpu_history', fields.cpu_percent),
    memory_history: history('memory_history', fields.memory_percent),
  };
}
