import type { InstanceExit } from '../runtime.ts';
import { signalOfStatus } from '../signals.ts';
import { readOomKills } from './cgroup-stats.ts';
import type { RememberedInstance } from './instance-memory.ts';
import type { RuntimeContext } from './runtime-context.ts';

const killed = 137;

export interface EndedProcess {
  /** 0 to 255; 128 + signal number when a signal ended it. */
  readonly status: number;
  readonly atMs: number;
}

/**
 * How an instance ended. It ran out of memory when the kernel killed in its cgroup and it did not end in good
 * order: killed itself, or failed after a child was killed. The cgroup tells this also when the event was missed.
 */
export async function exitOf(
  context: Pick<RuntimeContext, 'cgroups' | 'cgroupPathOf'>,
  { status, atMs }: EndedProcess,
  entry: Readonly<Pick<RememberedInstance, 'containerId' | 'isStopping' | 'ranOutOfMemory'>>,
): Promise<InstanceExit> {
  const signal = signalOfStatus(status);
  const hasFailed = status === killed || (status > 0 && status < 128);
  const isOutOfMemory = hasFailed && !entry.isStopping && (entry.ranOutOfMemory || (await hasOomKills()));
  return { code: status & 255, ...(signal === undefined ? {} : { signal }), isOutOfMemory, atMs };

  async function hasOomKills(): Promise<boolean> {
    const { mounts } = await context.cgroups();
    return (await readOomKills(mounts, context.cgroupPathOf(entry.containerId))) > 0;
  }
}

/** The end of an instance of which containerd knows no more than that it is gone: a reboot, or a killed shim. */
export function lostExit(atMs: number): InstanceExit {
  return { code: killed, signal: 'SIGKILL', isOutOfMemory: false, atMs };
}
