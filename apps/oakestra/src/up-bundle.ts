import {
  createLogger,
  defineSettings,
  formatHelp,
  formatSettings,
  loadSettings,
  loggingSettings,
  type ProgramRequest,
  requestOf,
  type SettingsTable,
  settingType,
  systemClock,
  systemRandom,
} from '@oakestra/daemon';
import type { RootTier } from './root-bundle.ts';
import { runDaemon } from './run-daemon.ts';
import { settingsOrComplaint } from './settings-or-complaint.ts';
import type { Machine, Role, Tier } from './tier.ts';
import { composeUp } from './up/compose-up.ts';
import { notedSettingsFlags } from './up/noted-settings.ts';
import { upPaths } from './up/paths.ts';
import { purge } from './up/purge.ts';
import { stopUp } from './up/stop-up.ts';
import { loadUpSettings, ownSettings, type UpValues, upTable } from './up/up-settings.ts';
import { version } from './version.ts';
import type { WorkerTier } from './worker-bundle.ts';

const USAGE_ERROR = 2;
const STOP_TIMEOUT_MS = 15_000;

const downSettings = defineSettings({
  purge: {
    type: settingType.toggle(),
    default: false,
    description:
      'Also remove every instance with its network and control group, the images, and all state: users, applications, certificates.',
  },
  stateDirectory: ownSettings.stateDirectory,
  ...loggingSettings,
});

/** `oakestra up` and `oakestra down`: the first argument says which. */
export function run([command, ...argv]: readonly string[], machine: Machine): Promise<number> {
  return command === 'down' ? down(argv, machine) : up(argv, machine);
}

async function up(argv: readonly string[], machine: Machine): Promise<number> {
  const { env, print } = machine;
  const tiers = loadTiers(machine);
  const table = upTable(tiers);
  const request = requestOf(argv);
  const summary =
    'Runs root, cluster and worker in one process. They meet on the wire, as they would on three machines; the ' +
    'root issues the certificates of the two others.';
  if (answerRequest(request, { role: 'up', table, summary, machine })) return 0;
  const loaded = await settingsOrComplaint(() => loadUpSettings(tiers, { argv, env }), machine);
  if (loaded === undefined) return USAGE_ERROR;
  if (request === 'print-config') {
    print(formatSettings(table, loaded));
    return 0;
  }
  const { values, warnings } = loaded;
  return runDaemon({
    name: 'up',
    settings: values,
    warnings,
    machine,
    compose: (context) => composeUp({ ...context, tiers, table, values }),
    onStarted(logger) {
      logger.info('all tiers have started', { tiers: values.tiers, stateDirectory: values.stateDirectory });
      machine.tellParent(startedMessage(values));
    },
  });
}

async function down(argv: readonly string[], machine: Machine): Promise<number> {
  const { env, print, printError } = machine;
  const request = requestOf(argv);
  const summary =
    'Stops the "oakestra up" of this machine. Instances keep running and are found again by the next "up"; with ' +
    '--purge they are removed, and everything else with them.';
  if (answerRequest(request, { role: 'down', table: downSettings, summary, machine })) return 0;
  const load = () => loadSettings({ role: 'down', table: downSettings, argv, env });
  const loaded = await settingsOrComplaint(load, machine);
  if (loaded === undefined) return USAGE_ERROR;
  if (request === 'print-config') {
    print(formatSettings(downSettings, loaded));
    return 0;
  }
  const { purge: isPurge, stateDirectory, logLevel, logFormat } = loaded.values;
  const { pidFile, settingsFile } = upPaths(stateDirectory);
  const clock = systemClock();
  const stopped = await stopUp({ pidFile, clock, timeoutMs: STOP_TIMEOUT_MS, force: isPurge });
  if (stopped.kind === 'still-running') {
    printError(`oakestra: process ${stopped.pid} does not stop; look at its log, or end it with kill -9.\n`);
    return 1;
  }
  if (stopped.kind === 'not-running') print(`No "oakestra up" runs on ${stateDirectory}.\n`);
  else print(`Stopped process ${stopped.pid}.\n`);
  if (!isPurge) {
    print(
      'Instances that it started keep running; "oakestra up" finds them again, "oakestra down --purge" removes them.\n',
    );
    return 0;
  }
  const tiers = loadTiers(machine);
  const source = {
    argv: [...notedSettingsFlags(settingsFile), '--state-directory', stateDirectory],
    env,
  };
  const noted = await settingsOrComplaint(() => loadUpSettings(tiers, source), machine);
  if (noted === undefined) return USAGE_ERROR;
  const logger = createLogger({ level: logLevel, format: logFormat, fields: { component: 'down' } });
  const failures = await purge({ tiers, values: noted.values, clock, random: systemRandom(), logger, print });
  for (const failure of failures) printError(`oakestra: could not remove ${failure}\n`);
  if (failures.length === 0) print('Nothing is left.\n');
  return failures.length === 0 ? 0 : 1;
}

/** The bundles of the three roles: `up` has no copy of them. */
function loadTiers(machine: Machine) {
  const load = <T extends Tier>(role: Role) => (machine.loadBundle(role) as { readonly tier: T }).tier;
  return {
    root: load<RootTier>('root'),
    cluster: load<Tier>('cluster'),
    worker: load<WorkerTier>('worker'),
  };
}

/** `--help` and `--version`, which need no valid settings. */
function answerRequest(
  request: ProgramRequest,
  {
    role,
    table,
    summary,
    machine,
  }: { role: string; table: SettingsTable; summary: string; machine: Machine },
): boolean {
  const { print, env } = machine;
  if (request === 'help') print(formatHelp({ role, table, usage: `oakestra ${role} [flags]`, summary, env }));
  if (request === 'version') print(`oakestra ${version}\n`);
  return request === 'help' || request === 'version';
}

/** What one has to know to go on with the installation that has just started. */
function startedMessage(values: UpValues) {
  const { stateDirectory, rootApiPort, rootStateDirectory } = values;
  return { kind: 'started', stateDirectory, rootApiPort, rootStateDirectory };
}
