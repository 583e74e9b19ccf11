import { MASK } from '../redaction.ts';
import type { LoadedSettings } from './load-settings.ts';
import type { SettingType } from './setting-types.ts';
import { formatOrigin, type SettingOrigin } from './settings-error.ts';
import { compileTable, type SettingsTable } from './settings-table.ts';

/** The text of `--print-config`: a line per setting with its value and where that came from. Secrets are masked. */
export function formatSettings<T extends SettingsTable>(
  table: T,
  { values, origins }: LoadedSettings<T>,
): string {
  const rows = compileTable(table).map(({ key, yamlPath, definition }) => {
    const value: unknown = values[key];
    const origin: SettingOrigin = origins[key] ?? { kind: 'unset', name: '' };
    const shown =
      definition.isSecret === true && value !== undefined ? MASK : formatValue(definition.type, value);
    return [yamlPath, shown, formatOrigin(origin)] as const;
  });
  const nameWidth = Math.max(...rows.map(([name]) => name.length), 0);
  const valueWidth = Math.min(Math.max(...rows.map(([, value]) => value.length), 0), 48);
  return rows
    .map(([name, value, origin]) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${origin}\n`)
    .join('');
}

/** A value as a user would write it; "-" when there is none. */
export function formatValue(type: SettingType<unknown>, value: unknown): string {
  if (value === undefined) return '-';
  if (type.format !== undefined) return type.format(value) || '""';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
