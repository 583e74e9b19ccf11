import { readFile, stat } from 'node:fs/promises';
import type { Document, LineCounter, YAMLMap } from 'yaml';
import { redactText } from '../redaction.ts';
import type { GivenValue } from './arguments.ts';
import { nearestName } from './nearest-name.ts';
import type { SettingViolation } from './settings-error.ts';
import type { CompiledSetting } from './settings-table.ts';

type Yaml = typeof import('yaml');

export interface SettingsFile {
  /** Whether the file exists. */
  readonly isPresent: boolean;
  readonly given: ReadonlyMap<string, GivenValue>;
  readonly violations: readonly SettingViolation[];
  /** Anybody on the machine may read it. */
  readonly isReadableByOthers: boolean;
}

/** Reads the YAML file of a role. A missing file is fine unless the user named it. */
export async function readSettingsFile(
  path: string,
  isRequired: boolean,
  table: readonly CompiledSetting[],
): Promise<SettingsFile> {
  const empty = { isPresent: false, given: new Map(), violations: [], isReadableByOthers: false };
  let text: string;
  let mode: number;
  try {
    text = await readFile(path, 'utf8');
    mode = (await stat(path)).mode;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' && !isRequired) return empty;
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? String(error)})`;
    return { ...empty, violations: [{ setting: 'the file', origin: { kind: 'file', name: path }, reason }] };
  }
  // Loaded only where there is a file to read: most workers have none.
  const yaml = await import('yaml');
  return {
    isPresent: true,
    isReadableByOthers: (mode & 0o004) !== 0,
    ...parseSettingsText(yaml, path, text, table),
  };
}

function parseSettingsText(yaml: Yaml, path: string, text: string, table: readonly CompiledSetting[]) {
  const lines = new yaml.LineCounter();
  // Pretty errors quote the source, and the source may hold secrets.
  const document = yaml.parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const reader: Reader = { yaml, path, document, lines, table, given: new Map(), violations: [] };
  for (const error of document.errors)
    refuse(reader, 'the file', error.pos[0], `is not valid YAML: ${redactText(error.message)}`);
  if (reader.violations.length === 0) {
    const { contents } = document;
    if (yaml.isMap(contents)) readMap(reader, contents, '');
    else if (contents !== null && document.toJS() !== null)
      refuse(reader, 'the file', 0, 'must hold "setting: value" lines');
  }
  return { given: reader.given, violations: reader.violations };
}

interface Reader {
  readonly yaml: Yaml;
  readonly path: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  readonly table: readonly CompiledSetting[];
  readonly given: Map<string, GivenValue>;
  readonly violations: SettingViolation[];
}

function readMap(reader: Reader, map: YAMLMap, prefix: string): void {
  const { yaml, document } = reader;
  for (const { key, value } of map.items) {
    const name = `${prefix}${String(yaml.isScalar(key) ? key.value : key)}`;
    const offset = (yaml.isNode(key) ? key.range?.[0] : undefined) ?? 0;
    const node = yaml.isAlias(value) ? value.resolve(document) : value;
    readEntry(reader, { name, offset, node, raw: yaml.isNode(node) ? node.toJS(document) : node });
  }
}

interface Entry {
  readonly name: string;
  readonly offset: number;
  readonly node: unknown;
  readonly raw: unknown;
}

function readEntry(reader: Reader, { name, offset, node, raw }: Entry): void {
  const { yaml, table } = reader;
  const setting = table.find((candidate) => candidate.yamlPath === name);
  const isBranch = table.some((candidate) => candidate.yamlPath.startsWith(`${name}.`));
  // An empty value is how people switch a line off without deleting it.
  const isEmpty = raw === null || raw === undefined;
  if (setting !== undefined) {
    if (!isEmpty) reader.given.set(setting.key, { raw, name: place(reader, offset) });
  } else if (!isBranch) {
    const paths = table.map((candidate) => candidate.yamlPath);
    const nearest = nearestName(name, paths);
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    refuse(reader, name, offset, `is not a known setting${hint}`);
  } else if (yaml.isMap(node)) {
    readMap(reader, node, `${name}.`);
  } else if (!isEmpty) {
    refuse(reader, name, offset, 'must hold settings of its own');
  }
}

function refuse(reader: Reader, setting: string, offset: number, reason: string): void {
  reader.violations.push({ setting, origin: { kind: 'file', name: place(reader, offset) }, reason });
}

function place({ path, lines }: Reader, offset: number): string {
  return `${path}:${lines.linePos(offset).line}`;
}
