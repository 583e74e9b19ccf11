import { formatValue } from './format-settings.ts';
import {
  type CompiledSetting,
  compileTable,
  type Environment,
  type SettingsTable,
} from './settings-table.ts';

export interface HelpOptions {
  readonly role: string;
  readonly table: SettingsTable;
  /** First line: `oakestra worker [flags]`. */
  readonly usage: string;
  /** What the program does, one or two sentences. */
  readonly summary: string;
  /** For defaults that depend on it. */
  readonly env?: Environment;
}

const WIDTH = 100;
const INDENT = '      ';

const BUILT_IN: readonly (readonly [string, string])[] = [
  ['--config <path>', 'Settings file (environment OAKESTRA_CONFIG).'],
  ['--print-config', 'Print all settings with their origin, and end.'],
  ['--help, -h', 'Print this, and end.'],
  ['--version', 'Print the version, and end.'],
];

/** The text of `--help`: every setting with its flags, variables, place in the file and default. */
export function formatHelp({ role, table, usage, summary, env = {} }: HelpOptions): string {
  const groups = groupSettings(compileTable(table));
  const sections = [...groups].map(
    ([group, settings]) =>
      `${group}:\n${settings.map((setting) => settingHelp(setting, role, env)).join('')}`,
  );
  const builtIn = BUILT_IN.map(([flag, text]) => `  ${flag}\n${wrapped(text)}`).join('');
  return [
    `Usage: ${usage}\n\n${fold(summary, WIDTH).join('\n')}\n`,
    `${fold(
      `Flags win over the environment, the environment over the file /etc/oakestra/${role}.yaml, the file over defaults.`,
      WIDTH,
    ).join('\n')}\n`,
    ...sections,
    `General:\n${builtIn}`,
  ].join('\n');
}

function groupSettings(settings: readonly CompiledSetting[]): Map<string, CompiledSetting[]> {
  const groups = new Map<string, CompiledSetting[]>();
  for (const setting of settings) {
    const group = setting.definition.group ?? 'Settings';
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  return groups;
}

function settingHelp(
  { flags, environment, yamlPath, definition }: CompiledSetting,
  role: string,
  env: Environment,
): string {
  const { type, isSecret, isOptional, description } = definition;
  const value = type.form === 'switch' ? '' : ` <${type.placeholder}>`;
  const names = flags.map((flag) => (type.form === 'switch' ? `--[no-]${flag}` : `--${flag}`));
  if (isSecret === true) names.push(`--${flags[0]}-file`);
  const raw = definition.defaultFrom?.({ role, environment: env }) ?? definition.default;
  const fallback =
    raw === undefined
      ? isOptional === true
        ? 'optional'
        : 'required'
      : `default ${isSecret === true ? 'set' : formatValue(type, type.parse(raw))}`;
  const variables = [...new Set(environment.map(({ name }) => name))].join(', ');
  return `  ${names.join(', ')}${value}\n${wrapped(description)}${wrapped(`[${variables}; ${yamlPath} in the file; ${fallback}]`)}`;
}

function wrapped(text: string): string {
  return fold(text, WIDTH - INDENT.length)
    .map((line) => `${INDENT}${line}\n`)
    .join('');
}

function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
