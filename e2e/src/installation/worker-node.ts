import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type TestContainerd, type TestHost } from '@oakestra/testbed';
import { removeCgroups, removeNamespaces, removeValues, valueFolderOf } from './clean-up.ts';
import { cutPower } from './power-cut.ts';
import type { TierProcess } from './tier-process.ts';

/** Generous: the machine may be busy. */
const LONG_MS = 60_000;

export interface RunningTask {
  readonly id: string;
  readonly pid: number;
  /** Ticks since boot: tells two processes with the same id apart. */
  readonly startTime: string;
}

/** A machine that instances run on: the worker process, its containerd, and what the kernel has of both. */
export interface WorkerNode {
  readonly name: string;
  readonly host: TestHost;
  readonly process: TierProcess;
  readonly containerd: TestContainerd;
  ctr(args: readonly string[]): Promise<string>;
  containerIds(): Promise<readonly string[]>;
  /** Tasks whose process runs. */
  runningTasks(): Promise<readonly RunningTask[]>;
  runningTask(id: string): Promise<RunningTask>;
  /** Everything that instances leave in the kernel, in containerd and on disk, one line each; empty: nothing. */
  traces(): Promise<readonly string[]>;
  /** Removes all images, so that the next deployment has to pull. */
  forgetImages(): Promise<void>;
  /** Traces of one instance, by its id. */
  tracesOf(instanceId: string): Promise<readonly string[]>;
  untilNothingOf(instanceId: string): Promise<void>;
  /**
   * What a power cut does: every process ends, the kernel forgets networks, control groups and mounts, and containerd
   * starts again from its disk. The worker stays down.
   */
  reboot(): Promise<void>;
}

export interface WorkerNodeOptions {
  readonly name: string;
  readonly host: TestHost;
  readonly process: TierProcess;
  readonly containerd: TestContainerd;
  /** Of its instances; also the namespace of containerd. */
  readonly groupName: string;
  readonly networkPrefix: string;
  /** Default: that of the process. */
  readonly stateDirectory?: string;
}

export function createWorkerNode(options: WorkerNodeOptions): WorkerNode {
  const { host, containerd, process: worker } = options;
  const ctr = (args: readonly string[]) => containerd.ctr(options.groupName, args);
  const linesOf = (text: string) => text.split('\n').filter((line) => line.trim() !== '');

  const runningTasks = async (): Promise<RunningTask[]> =>
    linesOf(await ctr(['tasks', 'list']))
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , status]) => status === 'RUNNING')
      .flatMap(([id = '', pidText]) => {
        const pid = Number(pidText);
        const startTime = startTimeOf(pid);
        return startTime === undefined ? [] : [{ id, pid, startTime }];
      });

  const publishedPorts = async (): Promise<string[]> => {
    const { stdout } = await host.exec('nft', ['--json', 'list', 'table', 'ip', 'oakestra'], {
      okCodes: [0, 1],
    });
    if (stdout.trim() === '') return [];
    const { nftables } = JSON.parse(stdout) as {
      readonly nftables: readonly { readonly map?: { readonly name: string; readonly elem?: unknown[] } }[];
    };
    return nftables.flatMap(({ map }) =>
      (map?.elem ?? []).map((one) => `${map?.name} ${JSON.stringify(one)}`),
    );
  };

  const cables = async (): Promise<string[]> => {
    const { stdout } = await host.exec('ip', ['-json', 'link', 'show', 'type', 'veth']);
    const links = JSON.parse(stdout.trim() === '' ? '[]' : stdout) as readonly { readonly ifname?: string }[];
    return links.flatMap(({ ifname }) => (ifname === undefined || ifname === 'eth0' ? [] : [ifname]));
  };

  /** Processes on the machine whose parent is gone: pulls of a worker that was killed. */
  const orphans = async (): Promise<string[]> => {
    const { stdout } = await host.exec('ip', ['netns', 'pids', host.namespace]);
    return linesOf(stdout).flatMap((pid) => {
      const words = readOrEmpty(`/proc/${pid}/cmdline`).split('\0');
      const isOrphan = /^PPid:\s+1$/m.test(readOrEmpty(`/proc/${pid}/status`));
      return isOrphan && words.includes('image-pull') ? [`${pid} ${words.join(' ')}`] : [];
    });
  };

  const inFolder = (name: string, ignored: readonly string[] = []): string[] => {
    const folder = join(options.stateDirectory ?? worker.stateDirectory, name);
    return filesIn(folder).filter((one) => !ignored.includes(one));
  };

  const traces = async (): Promise<string[]> => {
    const left = await containerd.leftovers({ cgroupParents: [options.groupName] });
    const namespaces = readdirSync('/run/netns').filter((name) => name.startsWith(options.networkPrefix));
    return [
      ...Object.entries(left).flatMap(([kind, names]) =>
        (names as string[]).map((name) => `${kind} ${name}`),
      ),
      ...namespaces.map((name) => `network namespace ${name}`),
      ...(await cables()).map((name) => `cable ${name}`),
      ...(await publishedPorts()).map((port) => `port ${port}`),
      ...(await orphans()).map((process) => `process ${process}`),
      ...inFolder('logs').map((name) => `log ${name}`),
      ...inFolder('files', ['resolv.conf']).map((name) => `file ${name}`),
      ...filesIn(valueFolderOf(options.networkPrefix)).map((name) => `file of a secret ${name}`),
      ...inFolder('runtime').map((name) => `runtime state ${name}`),
    ];
  };

  const tracesOf = async (instanceId: string) => (await traces()).filter((line) => line.includes(instanceId));

  return {
    name: options.name,
    host,
    process: worker,
    containerd,
    ctr,
    containerIds: async () => linesOf(await ctr(['containers', 'list', '--quiet'])),
    runningTasks,
    async runningTask(id) {
      const task = (await runningTasks()).find((one) => one.id === id);
      if (task === undefined) throw new Error(`${id} does not run on ${options.name}`);
      return task;
    },
    traces,
    tracesOf,
    async untilNothingOf(instanceId) {
      await eventually(
        async () => {
          const left = await tracesOf(instanceId);
          if (left.length > 0) throw new Error(left.join('\n'));
          return true;
        },
        { timeoutMs: LONG_MS, describe: `nothing of ${instanceId} to be left on ${options.name}` },
      );
    },
    async forgetImages() {
      const names = linesOf(await ctr(['images', 'list', '--quiet']));
      if (names.length > 0) await ctr(['images', 'remove', '--sync', ...names]);
    },
    async reboot() {
      await worker.kill();
      await cutPower(
        containerd,
        (await runningTasks()).map(({ pid }) => pid),
      );
      await host.exec('nft', ['flush', 'ruleset']);
      const { stdout } = await host.exec('ip', ['-json', 'link', 'show', 'type', 'bridge']);
      const bridges = JSON.parse(stdout.trim() === '' ? '[]' : stdout) as readonly {
        readonly ifname: string;
      }[];
      for (const { ifname } of bridges) await host.exec('ip', ['link', 'delete', ifname]);
      await removeNamespaces(options.networkPrefix);
      await removeValues(options.networkPrefix);
      removeCgroups(options.groupName);
      await containerd.start();
    },
  };
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? (readdirSync(folder, { recursive: true }) as string[]) : [];
}

function startTimeOf(pid: number): string | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
