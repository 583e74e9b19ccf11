import { spawn } from 'node:child_process';
import { runCommand } from '@oakestra/testbed';

/** Tells the process inside that it is there. */
const MARK = 'OAKESTRA_BENCH_OWN_NETWORK';

/**
 * Runs this program once more in a network namespace of its own: its daemons listen, bridge and filter there, so they
 * disturb nobody and nobody disturbs them, and the kernel removes all of it with the last process. Resolves to the
 * exit code of that run; undefined: this is that run.
 */
export async function runInOwnNetwork(): Promise<number | undefined> {
  if (process.env[MARK] !== undefined) {
    await makeNetwork();
    return undefined;
  }
  const [script = '', ...args] = process.argv.slice(1);
  const child = spawn('unshare', ['--net', '--', process.execPath, ...process.execArgv, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  // Ctrl-C reaches the whole group anyway; whoever is told alone passes it on.
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  const ignore = (): void => {};
  process.on('SIGTERM', forward).on('SIGHUP', forward).on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Loopback, and a way out that leads nowhere: a worker wants to know under which address others reach it. */
async function makeNetwork(): Promise<void> {
  const input = [
    'link set lo up',
    'link add uplink0 type veth peer name uplink1',
    'address add 198.51.100.1/24 dev uplink0',
    'link set uplink0 up',
    'link set uplink1 up',
    'route add default dev uplink0',
    '',
  ].join('\n');
  await runCommand('ip', ['-batch', '-'], { input });
}
