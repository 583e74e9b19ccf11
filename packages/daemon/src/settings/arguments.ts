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
  const collected: Collected = { given: new Map(), violations: [], configFile: undefined };
  for (let index = 0; index < argv.length; ) {
    const argument = argv[index] ?? '';
    if (argument.startsWith('--') && argument !== '--') {
      index += readFlag(collected, flagAt(argv, index, argument), table);
      continue;
    }
    if (argument !== '--' && argument !== '-h') {
      refuse(collected, `"${argument}"`, '', 'is not expected: values are given as --name value');
    }
    index++;
  }
  return collected;
}

interface Collected {
  readonly given: Map<string, GivenValue>;
  readonly violations: SettingViolation[];
  configFile: string | undefined;
}

interface Flag {
  /** With its dashes, without its value. */
  readonly flag: string;
  /** After the equals sign. */
  readonly inlineValue: string | undefined;
  /** The next argument, if it can be a value. */
  readonly nextValue: string | undefined;
}

function flagAt(argv: readonly string[], index: number, argument: string): Flag {
  const equals = argument.indexOf('=');
  const next = argv[index + 1];
  return {
    flag: equals === -1 ? argument : argument.slice(0, equals),
    inlineValue: equals === -1 ? undefined : argument.slice(equals + 1),
    nextValue: next?.startsWith('--') === true ? undefined : next,
  };
}

/** Returns how many arguments were used. */
function readFlag(
  collected: Collected,
  { flag, inlineValue, nextValue }: Flag,
  table: readonly CompiledSetting[],
): 1 | 2 {
  const name = flag.slice(2);
  const found = findFlag(name, flag, table);
  const value = inlineValue ?? nextValue;
  const usedWithValue = inlineValue === undefined && nextValue !== undefined ? 2 : 1;

  if (found?.switchedTo !== undefined && inlineValue === undefined) {
    accept(collected, found, found.switchedTo);
    return 1;
  }
  if (found?.isNegated === true) {
    refuse(collected, found.setting.key, flag, 'takes no value in this form');
    return 1;
  }
  if (found === undefined && name !== 'config') {
    if ((BUILT_IN_FLAGS as readonly string[]).includes(name)) return 1;
    // What follows an unknown flag is most likely its value, and may be a secret: neither shown nor judged.
    refuse(collected, flag, flag, `is not a known flag${suggestion(name, table)}`);
    return usedWithValue;
  }
  if (value === undefined) refuse(collected, found?.setting.key ?? name, flag, 'needs a value');
  else if (found !== undefined) accept(collected, found, value);
  else if (collected.configFile === undefined) collected.configFile = value;
  else refuse(collected, name, flag, 'is given more than once');
  return usedWithValue;
}

function accept(
  { given, ...collected }: Collected,
  { setting, flag, isSecretFile }: FoundFlag,
  raw: string,
): void {
  const earlier = given.get(setting.key);
  if (setting.definition.type.form === 'list' && !isSecretFile && earlier?.isSecretFile !== true) {
    const values = [...((earlier?.raw as string[] | undefined) ?? []), ...splitList(raw)];
    given.set(setting.key, { raw: values, name: flag });
  } else if (earlier === undefined) {
    given.set(setting.key, { raw, name: flag, isSecretFile });
  } else {
    refuse(collected, setting.key, flag, 'is given more than once');
  }
}

function refuse(
  { violations }: Pick<Collected, 'violations'>,
  setting: string,
  flag: string,
  reason: string,
): void {
  violations.push({ setting, origin: { kind: 'flag', name: flag }, reason });
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

function suggestion(name: string, table: readonly CompiledSetting[]): string {
  const nearest = nearestName(name, [...BUILT_IN_FLAGS, ...table.flatMap(flagNames)]);
  return nearest === undefined ? '' : `; did you mean --${nearest}?`;
}
