import { nearestName } from './nearest-name.ts';
import { splitList } from './setting-types.ts';
import type { SettingViolation } from './settings-error.ts';
import { BUILT_IN_FLAGS, type CompiledSetting, flagNames } from './settings-table.ts';

/** What the user wants from the program, besides running it. */
export type ProgramRequest = 'help' | 'version' | 'print-config' | 'run';

/** Reads `--help` (`-h`), `--version` and `--print-config`, which must work although other settings are wrong. */
export function requestOf(argv: readonly string[]): ProgramRequest {
  const end = argv.indexOf('--');
  const flags = end === -1 ? argv : argv.slice(0, end);
  if (flags.includes('--help') || flags.includes('-h')) return 'help';
  if (flags.includes('--version')) return 'version';
  return flags.includes('--print-config') ? 'print-config' : 'run';
}

/** A value as somebody wrote it. */
export interface GivenValue {
  readonly raw: unknown;
  /** The flag, the variable, or the file with its line. */
  readonly name: string;
  /** The raw value is the path of a file that holds the secret. */
  readonly isSecretFile?: boolean;
}

export interface ParsedArguments {
  readonly given: ReadonlyMap<string, GivenValue>;
  readonly configFile: string | undefined;
  readonly violations: readonly SettingViolation[];
}

/** Reads `--name value`, `--name=value`, `--switch` and `--no-switch`. Everything else is a violation. */
export function parseArguments(argv: readonly string[], table: readonly CompiledSetting[]): ParsedArguments {
  const given = new Map<string, GivenValue>();
  const violations: SettingViolation[] = [];
  let configFile: string | undefined;

  const refuse = (setting: string, flag: string, reason: string) =>
    violations.push({ setting, origin: { kind: 'flag', name: flag }, reason });
  const accept = ({ setting, flag, isSecretFile }: FoundFlag, raw: string) => {
    const earlier = given.get(setting.key);
    if (setting.definition.type.form === 'list') {
      const values = [...((earlier?.raw as string[] | undefined) ?? []), ...splitList(raw)];
      given.set(setting.key, { raw: values, name: flag });
    } else if (earlier === undefined) {
      given.set(setting.key, { raw, name: flag, isSecretFile });
    } else {
      refuse(setting.key, flag, 'is given more than once');
    }
  };

  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (argument === '-h') continue;
    if (!argument.startsWith('--') || argument === '--') {
      if (argument !== '--') refuse(`"${argument}"`, '', 'is not expected: values are given as --name value');
      continue;
    }
    const equals = argument.indexOf('=');
    const flag = equals === -1 ? argument : argument.slice(0, equals);
    const inlineValue = equals === -1 ? undefined : argument.slice(equals + 1);
    const next = argv[index + 1];
    const hasNext = next !== undefined && !next.startsWith('--');

    const isConfig = flag === '--config';
    const found = findFlag(flag.slice(2), flag, table);
    if (found?.switchedTo !== undefined && inlineValue === undefined) {
      accept(found, found.switchedTo);
    } else if (isConfig || (found !== undefined && !found.isNegated)) {
      if (inlineValue === undefined && hasNext) index++;
      const value = inlineValue ?? (hasNext ? next : undefined);
      if (value === undefined) refuse(found?.setting.key ?? 'config', flag, 'needs a value');
      else if (found === undefined) configFile = value;
      else accept(found, value);
    } else if (found !== undefined) {
      refuse(found.setting.key, flag, 'takes no value in this form');
    } else if (!(BUILT_IN_FLAGS as readonly string[]).includes(flag.slice(2))) {
      // What follows an unknown flag is most likely its value, and may be a secret: neither shown nor judged.
      if (inlineValue === undefined && hasNext) index++;
      refuse(flag, flag, `is not a known flag${suggestion(flag, table)}`);
    }
  }
  return { given, configFile, violations };
}

interface FoundFlag {
  readonly setting: CompiledSetting;
  readonly flag: string;
  readonly isSecretFile: boolean;
  readonly isNegated: boolean;
  /** Value of a switch that stands alone. */
  readonly switchedTo: 'true' | 'false' | undefined;
}

function findFlag(name: string, flag: string, table: readonly CompiledSetting[]): FoundFlag | undefined {
  for (const setting of table) {
    const isSwitch = setting.definition.type.form === 'switch';
    if (flagNames(setting).includes(name)) {
      const isSecretFile = !setting.flags.includes(name);
      return { setting, flag, isSecretFile, isNegated: false, switchedTo: isSwitch ? 'true' : undefined };
    }
    if (isSwitch && name.startsWith('no-') && setting.flags.includes(name.slice(3))) {
      return { setting, flag, isSecretFile: false, isNegated: true, switchedTo: 'false' };
    }
  }
  return undefined;
}

function suggestion(flag: string, table: readonly CompiledSetting[]): string {
  const nearest = nearestName(flag.slice(2), [...BUILT_IN_FLAGS, ...table.flatMap(flagNames)]);
  return nearest === undefined ? '' : `; did you mean --${nearest}?`;
}
