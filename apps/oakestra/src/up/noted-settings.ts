import { existsSync, renameSync, writeFileSync } from 'node:fs';
import type { SettingsTable } from '@oakestra/daemon';
import type { UpValues } from './up-settings.ts';

/**
 * Notes the settings of this start in a form that can be read as a settings file (JSON is YAML), so that `down` works
 * on the same things without being told again. Secrets are left out.
 */
export function noteSettings(path: string, table: SettingsTable, values: UpValues): void {
  const noted: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(table)) {
    const value = values[key];
    if (definition.isSecret === true || value === undefined) continue;
    const { type } = definition;
    place(
      noted,
      (definition.yamlPath ?? withoutUnit(key, type.unitSuffix)).split('.'),
      type.format?.(value) ?? value,
    );
  }
  writeFileSync(`${path}.new`, `${JSON.stringify(noted, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Flags that make a program read what was noted, if anything was. */
export function notedSettingsFlags(path: string): readonly string[] {
  return existsSync(path) ? ['--config', path] : [];
}

function withoutUnit(key: string, unitSuffix: string | undefined): string {
  return unitSuffix !== undefined && key.endsWith(unitSuffix) ? key.slice(0, -unitSuffix.length) : key;
}

function place(
  target: Record<string, unknown>,
  [first = '', ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner = (target[first] ?? {}) as Record<string, unknown>;
  target[first] = inner;
  place(inner, rest, value);
}
