import { reasonOf, type SettingType } from './setting-types.ts';

/** A variable of existing installations whose value needs other variables or another unit. */
export interface EnvironmentSource {
  readonly name: string;
  /** The raw value; `undefined` when the environment does not say. */
  readonly read: (environment: Environment) => string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a default may depend on. */
export interface DefaultContext {
  readonly role: string;
  readonly environment: Environment;
}

/**
 * One setting. Its names follow from its key, here `httpPort`: flag `--http-port`, variable `OAKESTRA_HTTP_PORT`, file
 * key `httpPort`. A unit that the type knows is left out: `stopTimeoutMs` is `--stop-timeout 10s`.
 */
export interface SettingDefinition<T = unknown> {
  readonly type: SettingType<T>;
  /** One or two sentences for the help: meaning, and what it depends on. */
  readonly description: string;
  /** In the form that a user would write. A setting with neither this nor `isOptional` must be given. */
  readonly default?: unknown;
  /** For defaults that depend on the role or the environment; wins over `default`, `undefined` falls back to it. */
  readonly defaultFrom?: (context: DefaultContext) => unknown;
  /** `true`: the value may be `undefined`. */
  readonly isOptional?: boolean;
  /**
   * `true`: never shown. The value may also come from a file, named by `--<flag>-file` or `<VARIABLE>_FILE`, because
   * every user of a machine sees the flags of every process.
   */
  readonly isSecret?: boolean;
  /** Further flags, without dashes. */
  readonly flagAliases?: readonly string[];
  /** Further variables, after the `OAKESTRA_…` one; earlier ones win, empty ones do not count. */
  readonly legacyEnvironment?: readonly (string | EnvironmentSource)[];
  /** Place in the file, with dots; default: the key without its unit. */
  readonly yamlPath?: string;
  /** Heading in the help. */
  readonly group?: string;
}

export type SettingsTable = Readonly<Record<string, SettingDefinition>>;

type ValueOf<D extends SettingDefinition> =
  D extends SettingDefinition<infer T> ? (D extends { isOptional: true } ? T | undefined : T) : never;

/** What the program gets: one compiled value per key of the table. */
export type SettingsValues<T extends SettingsTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** A setting with all its names worked out. */
export interface CompiledSetting {
  readonly key: string;
  readonly definition: SettingDefinition;
  /** Without dashes; the first is the one that the help shows. */
  readonly flags: readonly string[];
  readonly environment: readonly EnvironmentSource[];
  readonly yamlPath: string;
}

/** Flags that every program understands; no setting may take their names. */
export const BUILT_IN_FLAGS = ['config', 'print-config', 'help', 'version'] as const;

/** Checks a table for names that are used twice and for defaults that their own type refuses, and returns it. */
export function defineSettings<const T extends SettingsTable>(table: T): T {
  compileTable(table);
  return table;
}

/** The settings of a table with their names. Throws on mistakes of the programmer. */
export function compileTable(table: SettingsTable): readonly CompiledSetting[] {
  const compiled = Object.entries(table).map(([key, definition]) => compileSetting(key, definition));
  refuseDuplicates('flag', [...BUILT_IN_FLAGS, ...compiled.flatMap(flagNames)]);
  refuseDuplicates('environment variable', compiled.flatMap(plainVariables));
  refuseDuplicates(
    'place in the file',
    compiled.map((setting) => setting.yamlPath),
  );
  return compiled;
}

/** All flags of a setting, the one for a file with the secret included. */
export function flagNames({ flags, definition }: CompiledSetting): readonly string[] {
  return definition.isSecret === true ? [...flags, `${flags[0]}-file`] : flags;
}

function plainVariables({ environment, definition }: CompiledSetting): readonly (string | undefined)[] {
  // Those with a reader of their own may share a variable with another setting.
  const legacy = definition.legacyEnvironment?.filter((source) => typeof source === 'string') ?? [];
  return [environment[0]?.name, ...legacy];
}

function compileSetting(key: string, definition: SettingDefinition): CompiledSetting {
  if (definition.default !== undefined) {
    try {
      definition.type.parse(definition.default);
    } catch (error) {
      throw new TypeError(`the default of setting ${key} ${reasonOf(error)}`);
    }
  }
  const { unitSuffix } = definition.type;
  const plainKey =
    unitSuffix !== undefined && key.endsWith(unitSuffix) ? key.slice(0, -unitSuffix.length) : key;
  const words = plainKey.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
  const variable = `OAKESTRA_${words.replaceAll('-', '_').toUpperCase()}`;
  return {
    key,
    definition,
    flags: [words, ...(definition.flagAliases ?? [])],
    environment: [variable, ...(definition.legacyEnvironment ?? [])].map(environmentSource),
    yamlPath: definition.yamlPath ?? plainKey,
  };
}

function environmentSource(source: string | EnvironmentSource): EnvironmentSource {
  return typeof source === 'string' ? { name: source, read: (environment) => environment[source] } : source;
}

function refuseDuplicates(what: string, names: readonly (string | undefined)[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TypeError(`two settings use the ${what} ${twice}`);
}
