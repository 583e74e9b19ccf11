import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { isStaticProgram } from './elf.mjs';
import { consoleReport, SetupError } from './report.mjs';

/** @typedef {import('./package-sets.mjs').NeededPackage} NeededPackage */

/** Tools of the administrator are often missing in the path of a plain login. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Debian keeps several versions of PostgreSQL side by side, none of them on the path. */
function postgresFolders() {
  const base = '/usr/lib/postgresql';
  return existsSync(base) ? readdirSync(base).map((version) => join(base, version, 'bin')) : [];
}

/**
 * The full path of a program, or undefined.
 * @param {string} program
 * @param {string} [path] folders separated by colons; default: PATH and the folders of the system
 */
export function findProgram(
  program,
  path = [process.env.PATH ?? '', ...SYSTEM_FOLDERS, ...postgresFolders()].join(':'),
) {
  for (const folder of path.split(':')) {
    if (folder === '') continue;
    const candidate = join(folder, program);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

/**
 * Which of the packages are not there yet, judged by their programs and not by the package database: a program
 * that came another way is as good.
 * @param {readonly NeededPackage[]} packages
 * @param {string} [path]
 * @returns {NeededPackage[]}
 */
export function missingPackages(packages, path) {
  return packages.filter((wanted) =>
    wanted.programs.some((program) => {
      const file = findProgram(program, path);
      return file === undefined || (wanted.mustBeStatic === true && !isStaticProgram(readFileSync(file)));
    }),
  );
}

/**
 * Installs what is missing with apt; does nothing (and needs neither root nor apt) when everything is there.
 * Services of the new packages are neither started nor enabled, containerd excepted.
 *
 * @param {readonly NeededPackage[]} packages
 * @param {object} [options]
 * @param {import('./report.mjs').Report} [options.report]
 * @param {boolean} [options.isRoot]
 * @param {string} [options.path] where programs are looked for
 * @returns {Promise<string[]>} names of the packages that were installed
 */
export async function ensureDebianPackages(
  packages,
  { report = consoleReport(), isRoot = process.getuid?.() === 0, path } = {},
) {
  const missing = missingPackages(packages, path);
  if (missing.length === 0) return [];
  const needed = missing.filter((wanted) => !wanted.isOptional);
  const obstacle = whyNotInstallable({ isRoot, path });
  if (obstacle) {
    if (needed.length === 0) {
      report.warn(`Going on without ${describe(missing)}: ${obstacle.reason}.`);
      return [];
    }
    throw new SetupError(
      `Missing on this machine:\n${needed.map(line).join('\n')}\n${obstacle.reason}. ${obstacle.advice(needed)}`,
    );
  }
  report.step(`Installing ${missing.length} Debian package${missing.length === 1 ? '' : 's'} with apt-get:`);
  for (const wanted of missing) report.detail(`${wanted.name} (${wanted.why})`);
  const names = missing.map((wanted) => wanted.name);
  const isUpdated = !(await areKnown(names));
  if (isUpdated) await update(report);
  const [first] = await withoutServiceStarts(() => install(names, report));
  if (first) await installAgain({ missing, isUpdated, report });
  await disableServices(missing, report);
  report.step('Installed.');
  return names;
}

/** @param {NeededPackage} wanted */
const line = (wanted) => `  - ${wanted.name}: ${wanted.why}`;
/** @param {readonly NeededPackage[]} wanted */
const describe = (wanted) => wanted.map((one) => one.name).join(', ');

/**
 * @param {{ isRoot: boolean, path: string | undefined }} options
 */
function whyNotInstallable({ isRoot, path }) {
  const command = (/** @type {readonly NeededPackage[]} */ packages) =>
    `apt-get install --no-install-recommends ${packages.map((wanted) => wanted.name).join(' ')}`;
  if (!findProgram('apt-get', path)) {
    return {
      reason: 'There is no apt-get here to install them with',
      advice: (/** @type {readonly NeededPackage[]} */ packages) =>
        `Install these programs with the package manager of your system and start again: ${packages
          .flatMap((wanted) => wanted.programs)
          .join(', ')}.`,
    };
  }
  if (!isRoot) {
    return {
      reason: 'Installing needs root, and this is not root',
      advice: (/** @type {readonly NeededPackage[]} */ packages) =>
        `Start again as root, or install them first: sudo ${command(packages)}`,
    };
  }
  return undefined;
}

/** @param {readonly string[]} names */
async function areKnown(names) {
  const { code, stdout } = await runCommand('apt-cache', ['policy', ...names]);
  const candidates = stdout.match(/^ {2}Candidate: (?!\(none\))\S+/gm) ?? [];
  return code === 0 && candidates.length === names.length;
}

const APT_ENVIRONMENT = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
// Another apt may be at work (unattended upgrades of a fresh machine): wait for it instead of failing.
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', '-o', 'Dpkg::Use-Pty=0'];
const APT_TIMEOUT_MS = 20 * 60_000;

/** @param {import('./report.mjs').Report} report */
async function update(report) {
  report.step('Reading the package lists (apt-get update)');
  const result = await runCommand('apt-get', [...APT_OPTIONS, 'update'], {
    env: APT_ENVIRONMENT,
    timeoutMs: APT_TIMEOUT_MS,
    onLine: report.detail,
  });
  if (result.code !== 0) {
    report.warn(`apt-get update failed (${reasonOf(result)}); trying with the lists that are here.`);
  }
}

/**
 * @param {readonly string[]} names
 * @param {import('./report.mjs').Report} report
 * @returns {Promise<import('./command.mjs').CommandResult | undefined>} the failure
 */
async function install(names, report) {
  const result = await runCommand(
    'apt-get',
    [...APT_OPTIONS, 'install', '-y', '--no-install-recommends', ...names],
    { env: APT_ENVIRONMENT, timeoutMs: APT_TIMEOUT_MS, onLine: report.detail },
  );
  return result.code === 0 ? undefined : result;
}

/**
 * Old lists name files that the mirror no longer has: read them again, once. Then one package at a time, so that
 * the message names the one that fails.
 * @param {{ missing: readonly NeededPackage[], isUpdated: boolean, report: import('./report.mjs').Report }} options
 */
async function installAgain({ missing, isUpdated, report }) {
  if (!isUpdated) await update(report);
  report.step('That failed. Trying once more, one package at a time');
  const failures = await withoutServiceStarts(
    ...missing.map((wanted) => () => install([wanted.name], report)),
  );
  const failed = missing.flatMap((wanted, index) => {
    const failure = failures[index];
    return failure === undefined ? [] : [{ wanted, reason: reasonOf(failure) }];
  });
  for (const { wanted, reason } of failed.filter((one) => one.wanted.isOptional)) {
    report.warn(`Going on without ${wanted.name} (${wanted.why}): ${reason}`);
  }
  const fatal = failed.filter((one) => !one.wanted.isOptional);
  if (fatal.length === 0) return;
  throw new SetupError(
    [
      'apt-get could not install:',
      ...fatal.map(({ wanted, reason }) => `  - ${wanted.name} (${wanted.why}): ${reason}`),
      'Check the network and the sources of apt, then try by hand and start again:',
      `  apt-get update && apt-get install --no-install-recommends ${fatal.map((one) => one.wanted.name).join(' ')}`,
    ].join('\n'),
  );
}

/** @param {import('./command.mjs').CommandResult} result */
function reasonOf(result) {
  if (result.error) return result.error.message;
  const said = result.stderr.match(/^E: .*$/gm);
  return said ? said.map((text) => text.slice(3)).join(' ') : `exit code ${result.code}`;
}

const POLICY_FILE = '/usr/sbin/policy-rc.d';

/**
 * Debian starts a service when its package is installed; we want the programs only, and ports left alone.
 * @param {...(() => Promise<import('./command.mjs').CommandResult | undefined>)} actions
 */
async function withoutServiceStarts(...actions) {
  const isOurs = !existsSync(POLICY_FILE);
  if (isOurs) {
    writeFileSync(POLICY_FILE, '#!/bin/sh\ncase "$1" in containerd*) exit 0 ;; *) exit 101 ;; esac\n', {
      mode: 0o755,
    });
  }
  try {
    const results = [];
    for (const action of actions) results.push(await action());
    return results;
  } finally {
    if (isOurs) rmSync(POLICY_FILE, { force: true });
  }
}

/**
 * @param {readonly NeededPackage[]} installed
 * @param {import('./report.mjs').Report} report
 */
async function disableServices(installed, report) {
  // Only where systemd runs the machine are services started at boot by their mere presence.
  if (!existsSync('/run/systemd/system')) return;
  const services = installed.flatMap((wanted) => (wanted.service ? [wanted.service] : []));
  if (services.length === 0) return;
  const { code } = await runCommand('systemctl', ['disable', ...services.map((name) => `${name}.service`)]);
  if (code !== 0) report.warn(`Could not disable ${services.join(', ')}; they may start with the next boot.`);
}
