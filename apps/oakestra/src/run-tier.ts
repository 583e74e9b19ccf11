import {
  formatHelp,
  formatSettings,
  loadSettings,
  loggingSettings,
  requestOf,
  SettingsError,
  type SettingsTable,
} from '@oakestra/daemon';
import { runDaemon } from './run-daemon.ts';
import type { Machine, Tier } from './tier.ts';
import { version } from './version.ts';

const USAGE_ERROR = 2;

/** The program of one role: `--help`, `--version`, `--print-config`, or run until told to stop. */
export async function runTier<T extends SettingsTable>(
  { role, summary, settings, compose }: Tier<T>,
  argv: readonly string[],
  machine: Machine,
): Promise<number> {
  const { env, print } = machine;
  const table = { ...settings, ...loggingSettings };
  const request = requestOf(argv);
  if (request === 'help') {
    print(formatHelp({ role, table, usage: `oakestra ${role} [flags]`, summary, env }));
    return 0;
  }
  if (request === 'version') {
    print(`oakestra ${version}\n`);
    return 0;
  }
  const loaded = await settingsOrComplaint(() => loadSettings({ role, table, argv, env }), machine);
  if (loaded === undefined) return USAGE_ERROR;
  if (request === 'print-config') {
    print(formatSettings(table, loaded));
    return 0;
  }
  const values = loaded.values as ComposedValues<T>;
  return runDaemon({
    name: role,
    settings: values,
    warnings: loaded.warnings,
    machine,
    compose: (context) => compose({ ...context, settings: values }),
  });
}

type ComposedValues<T extends SettingsTable> = Parameters<Tier<T>['compose']>[0]['settings'] &
  Parameters<typeof runDaemon>[0]['settings'];

/** Says what is wrong with the settings, all of it, in place of a stack trace. */
export async function settingsOrComplaint<L>(
  load: () => Promise<L>,
  machine: Machine,
): Promise<L | undefined> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    machine.printError(`oakestra: ${error.message}\n`);
    return undefined;
  }
}
