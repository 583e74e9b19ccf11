import { readFileSync } from 'node:fs';
import { type GivenValue, parseArguments } from './arguments.ts';
import { reasonOf } from './setting-types.ts';
import { type SettingOrigin, SettingsError } from './settings-error.ts';
import { readSettingsFile } from './settings-file.ts';
import {
  type CompiledSetting,
  compileTable,
  type Environment,
  type SettingsTable,
  type SettingsValues,
} from './settings-table.ts';

export interface LoadSettingsOptions<T extends SettingsTable> {
  /** `root`, `cluster`, `worker`: names the default file and the errors. */
  readonly role: string;
  readonly table: T;
  /** Arguments after the role. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Default file, which may be missing; default `/etc/oakestra/<role>.yaml`. */
  readonly file?: string;
  /** Contradictions between settings that are valid one by one. Runs only when each of them is. */
  readonly check?: (
    values: SettingsValues<T>,
  ) => readonly { readonly setting: keyof T & string; readonly reason: string }[];
}

export interface LoadedSettings<T extends SettingsTable> {
  /** Frozen, all the way down. */
  readonly values: SettingsValues<T>;
  readonly origins: { readonly [K in keyof T]: SettingOrigin };
  /** The file that was read; `undefined` when there was none. */
  readonly configFile: string | undefined;
  /** Worth a line in the log: secrets where others can see them. */
  readonly warnings: readonly string[];
}

/**
 * Settings from flags, then environment, then file (`--config`, `OAKESTRA_CONFIG`, or the default one), then defaults.
 * Rejects with a {@link SettingsError} that lists every violation.
 */
export async function loadSettings<T extends SettingsTable>(
  options: LoadSettingsOptions<T>,
): Promise<LoadedSettings<T>> {
  const { role, argv, env } = options;
  const table = compileTable(options.table);
  const flags = parseArguments(argv, table);
  const named = flags.configFile ?? nonEmpty(env.OAKESTRA_CONFIG);
  const path = named ?? options.file ?? `/etc/oakestra/${role}.yaml`;
  const file = await readSettingsFile(path, named !== undefined, table);

  const violations = [...flags.violations, ...file.violations];
  const warnings: string[] = [];
  const values: Record<string, unknown> = {};
  const origins: Record<string, SettingOrigin> = {};
  for (const setting of table) {
    const { key, definition } = setting;
    const resolved = resolve(setting, { flags: flags.given, file: file.given, env, role });
    const { origin, given } = resolved;
    origins[key] = origin;
    if (given === undefined) {
      values[key] = undefined;
      const names = `--${setting.flags[0]} or ${setting.environment[0]?.name}`;
      if (definition.isOptional !== true)
        violations.push({ setting: key, origin, reason: `is required: set ${names}` });
      continue;
    }
    try {
      values[key] = definition.type.parse(
        given.isSecretFile === true ? secretFrom(String(given.raw)) : given.raw,
      );
    } catch (error) {
      const shown = definition.isSecret === true ? '' : `, not ${excerpt(given.raw)}`;
      violations.push({ setting: key, origin, reason: `${reasonOf(error)}${shown}` });
    }
    if (definition.isSecret === true) warnings.push(...exposure(setting, resolved, file.isReadableByOthers));
  }

  if (violations.length === 0) {
    for (const { setting, reason } of options.check?.(values as SettingsValues<T>) ?? []) {
      violations.push({ setting, origin: origins[setting] ?? { kind: 'unset', name: '' }, reason });
    }
  }
  if (violations.length > 0) throw new SettingsError(role, violations);
  return Object.freeze({
    values: deepFreeze(values) as SettingsValues<T>,
    origins: deepFreeze(origins) as LoadedSettings<T>['origins'],
    configFile: file.isPresent ? path : undefined,
    warnings: Object.freeze(warnings),
  });
}

interface Sources {
  readonly flags: ReadonlyMap<string, GivenValue>;
  readonly file: ReadonlyMap<string, GivenValue>;
  readonly env: Environment;
  readonly role: string;
}

interface Resolved {
  readonly origin: SettingOrigin;
  readonly given: GivenValue | undefined;
}

function resolve(setting: CompiledSetting, { flags, file, env, role }: Sources): Resolved {
  const { key, definition } = setting;
  const flag = flags.get(key);
  if (flag !== undefined) return { origin: { kind: 'flag', name: flag.name }, given: flag };
  const variable = fromEnvironment(setting, env);
  if (variable !== undefined)
    return { origin: { kind: 'environment', name: variable.name }, given: variable };
  const entry = file.get(key);
  if (entry !== undefined) return { origin: { kind: 'file', name: entry.name }, given: entry };
  const raw = definition.defaultFrom?.({ role, environment: env }) ?? definition.default;
  if (raw !== undefined) return { origin: { kind: 'default', name: '' }, given: { raw, name: '' } };
  return { origin: { kind: 'unset', name: '' }, given: undefined };
}

function fromEnvironment(
  { environment, definition }: CompiledSetting,
  env: Environment,
): GivenValue | undefined {
  for (const { name, read } of environment) {
    // Compose files pass variables on that nobody has set: they arrive empty.
    const raw = nonEmpty(read(env));
    if (raw !== undefined) return { raw, name };
    const fileName = `${name}_FILE`;
    const file = definition.isSecret === true ? nonEmpty(env[fileName]) : undefined;
    if (file !== undefined) return { raw: file, name: fileName, isSecretFile: true };
  }
  return undefined;
}

function secretFrom(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new Error(
      `cannot be read from ${path} (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    );
  }
}

function exposure(
  setting: CompiledSetting,
  { origin, given }: Resolved,
  isReadableByOthers: boolean,
): string[] {
  if (origin.kind === 'flag' && given?.isSecretFile !== true) {
    return [
      `${origin.name} shows its secret to every user of this machine; use --${setting.flags[0]}-file instead`,
    ];
  }
  if (origin.kind === 'file' && isReadableByOthers) {
    return [
      `${origin.name} holds a secret and every user of this machine may read that file; set its mode to 0600`,
    ];
  }
  return [];
}

function excerpt(raw: unknown): string {
  const text = JSON.stringify(raw) ?? String(raw);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** Freezes plain objects and lists; objects of a class look after themselves. */
function deepFreeze<V>(value: V): V {
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value;
  for (const entry of Object.values(value)) deepFreeze(entry);
  return Object.freeze(value);
}
