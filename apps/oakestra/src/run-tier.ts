import { messageOf } from '@oakestra/contracts';
import {
  createLogger,
  formatHelp,
  formatSettings,
  keptAlive,
  loadSettings,
  loggingSettings,
  requestOf,
  type SettingsTable,
  systemClock,
  systemRandom,
} from '@oakestra/daemon';
import { runDaemon } from './run-daemon.ts';
import { settingsOrComplaint } from './settings-or-complaint.ts';
import type { Machine, Tier } from './tier.ts';
import { version } from './version.ts';

const USAGE_ERROR = 2;

/** The program of one role: `--help`, `--version`, `--print-config`, or run until told to stop. */
export async function runTier<T extends SettingsTable>(
  tier: Tier<T>,
  argv: readonly string[],
  machine: Machine,
): Promise<number> {
  const { role, summary, settings, compose, actions = {} } = tier;
  const { env, print } = machine;
  const action = actions[argv[0] ?? ''];
  if (action !== undefined) return runAction(tier, argv[0] as string, argv.slice(1), machine);
  const table = { ...settings, ...loggingSettings };
  const request = requestOf(argv);
  if (request === 'help') {
    print(formatHelp({ role, table, usage: `oakestra ${role} [flags]`, summary, env }));
    print(actionHelp(role, actions));
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

function actionHelp<T extends SettingsTable>(role: string, actions: NonNullable<Tier<T>['actions']>): string {
  const lines = Object.entries(actions).map(
    ([name, { operand, summary }]) => `  oakestra ${role} ${name} ${operand}\n      ${summary}\n`,
  );
  return lines.length === 0 ? '' : `\nBeside running:\n${lines.join('')}`;
}

/** `oakestra <role> <action> <operand> [flags]`. */
async function runAction<T extends SettingsTable>(
  { role, settings, actions = {} }: Tier<T>,
  name: string,
  [operand = '', ...argv]: readonly string[],
  machine: Machine,
): Promise<number> {
  const action = actions[name];
  if (action === undefined || operand === '' || operand.startsWith('-')) {
    machine.printError(`Usage: oakestra ${role} ${name} ${action?.operand ?? ''} [flags]\n`);
    return USAGE_ERROR;
  }
  const table = { ...settings, ...loggingSettings };
  const load = () => loadSettings({ role, table, argv, env: machine.env });
  const loaded = await settingsOrComplaint(load, machine);
  if (loaded === undefined) return USAGE_ERROR;
  const logger = createLogger({ level: 'warn', output: { write: (line) => machine.printError(line) } });
  try {
    const values = loaded.values as ComposedValues<T>;
    const context = { logger, clock: systemClock(), random: systemRandom(), settings: values };
    machine.print(`${await keptAlive(action.run(operand, context))}\n`);
    return 0;
  } catch (error) {
    machine.printError(`oakestra: ${messageOf(error)}\n`);
    return 1;
  }
}

type ComposedValues<T extends SettingsTable> = Parameters<Tier<T>['compose']>[0]['settings'] &
  Parameters<typeof runDaemon>[0]['settings'];
