import { join } from 'node:path';
import {
  type Environment,
  type LoadedSettings,
  loadSettings,
  loggingSettings,
  type SettingDefinition,
  type SettingOrigin,
  type SettingsTable,
  type SettingsValues,
  settingType,
} from '@oakestra/daemon';
import { ROLES, type Role, type Tier } from '../tier.ts';

export type Tiers = Readonly<Record<Role, Tier>>;

/** The settings of `up` itself. */
export const ownSettings = {
  tiers: {
    type: settingType.list(settingType.oneOf(ROLES)),
    default: ROLES,
    description: 'Which tiers run in this process.',
    group: 'Up',
  },
  stateDirectory: {
    type: settingType.text(),
    default: '/var/lib/oakestra',
    description: 'Where everything that must survive is kept; each tier gets a folder in it.',
    group: 'Up',
  },
  listen: {
    type: settingType.text(),
    default: '0.0.0.0',
    description: 'Address at which root and cluster are reached.',
    group: 'Up',
  },
} as const satisfies SettingsTable;

interface OwnValues {
  readonly tiers: readonly Role[];
  readonly stateDirectory: string;
  readonly listen: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'auto' | 'json' | 'text';
}

/** Values of the composed table: our own ones, and those of the tiers under their prefixed keys. */
export type UpValues = OwnValues & Readonly<Record<string, unknown>>;

/** A setting of a tier that follows from others as long as nobody gives it. */
type Derivation = (values: UpValues) => unknown;

const DERIVED: Readonly<Record<string, Derivation>> = {
  rootStateDirectory: ({ stateDirectory }) => join(stateDirectory, 'root'),
  clusterStateDirectory: ({ stateDirectory }) => join(stateDirectory, 'cluster'),
  workerStateDirectory: ({ stateDirectory }) => join(stateDirectory, 'worker'),
  rootListen: ({ listen }) => listen,
  clusterListen: ({ listen }) => listen,
  clusterRoot: ({ rootListen, rootClusterPort }) => [
    `${bracketed(reachable(rootListen))}:${String(rootClusterPort)}`,
  ],
  workerClusterAddress: ({ clusterListen }) => reachable(clusterListen),
  workerClusterApiPort: ({ clusterApiPort }) => clusterApiPort,
};

const GROUPS: Readonly<Record<Role, string>> = { root: 'Root', cluster: 'Cluster', worker: 'Worker' };

/** Our own settings and those of each tier, prefixed with its role: `apiPort` of the root is `--root-api-port`. */
export function upTable(tiers: Tiers): SettingsTable {
  const ofTiers = ROLES.flatMap((role) =>
    Object.entries(tiers[role].settings).map(([key, definition]) => {
      const prefixed = prefixedKey(role, key);
      return [prefixed, prefixedDefinition(role, prefixed, { key, definition })] as const;
    }),
  );
  return { ...ownSettings, ...Object.fromEntries(ofTiers), ...loggingSettings };
}

export async function loadUpSettings(
  tiers: Tiers,
  source: { readonly argv: readonly string[]; readonly env: Environment },
): Promise<LoadedSettings<SettingsTable> & { readonly values: UpValues }> {
  const table = upTable(tiers);
  const loaded = await loadSettings({ role: 'up', table, ...source });
  const values: Record<string, unknown> = { ...loaded.values };
  const origins: Record<string, SettingOrigin> = { ...loaded.origins };
  for (const [key, derive] of Object.entries(DERIVED)) {
    if (!(key in table) || origins[key]?.kind !== 'unset') continue;
    values[key] = derive(values as UpValues);
    origins[key] = { kind: 'default', name: '' };
  }
  return { ...loaded, values: values as UpValues, origins };
}

/** What the tier itself calls its settings. */
export function tierValues<T extends SettingsTable>(tier: Tier<T>, values: UpValues): SettingsValues<T> {
  const keys = Object.keys(tier.settings);
  const own = keys.map((key) => [key, values[prefixedKey(tier.role, key)]]);
  return Object.fromEntries(own) as SettingsValues<T>;
}

function prefixedKey(role: Role, key: string): string {
  return `${role}${key.charAt(0).toUpperCase()}${key.slice(1)}`;
}

function prefixedDefinition(
  role: Role,
  prefixed: string,
  { key, definition }: { readonly key: string; readonly definition: SettingDefinition },
): SettingDefinition {
  const { default: fallback, defaultFrom, flagAliases: _aliases, ...rest } = definition;
  const { unitSuffix } = definition.type;
  const plainKey =
    unitSuffix !== undefined && key.endsWith(unitSuffix) ? key.slice(0, -unitSuffix.length) : key;
  const common = {
    ...rest,
    group: rest.group === undefined ? GROUPS[role] : `${GROUPS[role]}: ${rest.group}`,
    yamlPath: `${role}.${rest.yamlPath ?? plainKey}`,
  };
  if (prefixed in DERIVED) return { ...common, isOptional: true };
  return {
    ...common,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(defaultFrom === undefined
      ? {}
      : { defaultFrom: ({ environment }) => defaultFrom({ role, environment }) }),
  };
}

/** The address to dial for one to listen at. */
function reachable(listen: unknown): string {
  if (listen === '0.0.0.0') return '127.0.0.1';
  return listen === '::' ? '::1' : String(listen);
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
