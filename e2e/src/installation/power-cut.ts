import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually, runCommand, type TestContainerd } from '@oakestra/testbed';

const BUNDLES = 'io.containerd.runtime.v2.task';

/**
 * Ends a containerd with its shims and containers at once, and clears what lies in memory on a real machine. What is
 * on its disk stays for its next start.
 */
export async function cutPower(containerd: TestContainerd, tasks: readonly number[]): Promise<void> {
  const { shims, mounts, runcStates } = await containerd.leftovers();
  const state = join(dirname(containerd.address), 'containerd-state');
  const sockets = shimSockets(join(state, BUNDLES));
  const victims = [...shims.map(Number), ...tasks];
  // Shims first: a dead machine notes nobody's end.
  await containerd.kill();
  for (const pid of victims) endNow(pid);
  await eventually(() => victims.every((pid) => !isRunning(pid)), {
    timeoutMs: 10_000,
    describe: 'all containers and shims to be gone',
  });
  for (const path of mounts) await runCommand('umount', ['--lazy', path], { okCodes: [0, 1, 32] });
  for (const path of [...runcStates, ...sockets, state]) rmSync(path, { recursive: true, force: true });
}

/** Their sockets lie outside of containerd's folders; the bundles name them. */
function shimSockets(bundles: string): string[] {
  if (!existsSync(bundles)) return [];
  const files = (readdirSync(bundles, { recursive: true }) as string[]).filter((name) =>
    /^[^/]+\/[^/]+\/address$/.test(name),
  );
  return files
    .map((file) => readFileSync(join(bundles, file), 'utf8').trim())
    .flatMap((address) => (address.startsWith('unix:///') ? [address.slice('unix://'.length)] : []));
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went with its shim or its container.
  }
}

function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '');
  } catch {
    return false;
  }
}
