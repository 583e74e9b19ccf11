import {
  createLifecycle,
  createLogger,
  formatHelp,
  formatSettings,
  loadSettings,
  loggingSettings,
  requestOf,
  runUntilSignal,
  SettingsError,
  type SettingsTable,
  systemClock,
  systemRandom,
} from '@oakestra/daemon';
import type { Machine, Tier } from './tier.ts';
import { version } from './version.ts';

const USAGE_ERROR = 2;

/** The program of one role: `--help`, `--version`, `--print-config`, or run until told to stop. */
export async function runTier<T extends SettingsTable>(
  tier: Tier<T>,
  argv: readonly string[],
  machine: Machine,
): Promise<number> {
  const { role, summary } = tier;
  const { env, print, printError } = machine;
  const table = { ...tier.settings, ...loggingSettings };
  const request = requestOf(argv);
  if (request === 'help') {
    print(formatHelp({ role, table, usage: `oakestra ${role} [flags]`, summary, env }));
    return 0;
  }
  if (request === 'version') {
    print(`oakestra ${version}\n`);
    return 0;
  }
  const loaded = await loadSettings({ role, table, argv, env }).catch((error: unknown) => {
    if (!(error instanceof SettingsError)) throw error;
    printError(`oakestra: ${error.message}\n`);
    return undefined;
  });
  if (loaded === undefined) return USAGE_ERROR;
  if (request === 'print-config') {
    print(formatSettings(table, loaded));
    return 0;
  }
  const settings = loaded.values as Parameters<typeof tier.compose>[0]['settings'] & LogValues;
  const logger = createLogger({
    level: settings.logLevel,
    format: settings.logFormat,
    fields: { component: role },
  });
  for (const warning of loaded.warnings) logger.warn(warning);
  const clock = systemClock();
  const lifecycle = createLifecycle({ logger, clock });
  tier.compose({ settings, lifecycle, logger, clock, random: systemRandom() });
  return runUntilSignal({
    lifecycle,
    logger,
    clock,
    ...(machine.process === undefined ? {} : { process: machine.process }),
  });
}

type LogValues = Pick<
  import('@oakestra/daemon').SettingsValues<typeof loggingSettings>,
  'logLevel' | 'logFormat'
>;
