import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@oakestra/contracts';
import { openTestAuthority, type TestAuthority } from './certificates/index.ts';
import { startTestContainerd, type TestContainerd, type TestContainerdOptions } from './containerd/index.ts';
import { createTestNetwork, type TestNetwork, type TestNetworkOptions } from './hosts/index.ts';
import {
  collectLogs,
  type ManagedProcess,
  makeScratchDirectory,
  onInterrupt,
  type ProcessOptions,
  startProcess,
} from './processes/index.ts';
import { type Registry, type RegistryOptions, startRegistry } from './registry/index.ts';
import { sweep } from './sweep.ts';

/** What one test needs, made through one object that takes all of it away again. */
export interface Testbed {
  /** For temporary files; removed at the end. */
  readonly directory: string;
  network(options: TestNetworkOptions): Promise<TestNetwork>;
  registry(options?: RegistryOptions): Promise<Registry>;
  /** One per `name`, which becomes a folder; default `c`. */
  containerd(
    options?: Omit<TestContainerdOptions, 'directory'> & { readonly name?: string },
  ): Promise<TestContainerd>;
  /** The certificate authority of this testbed. */
  authority(): Promise<TestAuthority>;
  /** Starts a program; its log is `<name>.log` unless given. */
  process(options: Omit<ProcessOptions, 'logFile'> & { readonly logFile?: string }): Promise<ManagedProcess>;
  /** Has a process that was started elsewhere (such as on a host) stopped and its log collected with the others. */
  adopt(process: ManagedProcess): ManagedProcess;
  /** Done by `close()`, in reverse order of registration and before what was made earlier is taken away. */
  defer(what: string, action: () => unknown): void;
  /** The ends of all logs: for the output of a failed test. */
  logs(): Promise<string>;
  /** Takes everything away in reverse order. Goes on when a step fails, and reports all failures at its end. */
  close(): Promise<void>;
}

/** Also removes what earlier runs left behind when they were killed. */
export async function openTestbed(): Promise<Testbed> {
  await sweep();
  const directory = await makeScratchDirectory();
  const processes: ManagedProcess[] = [];
  const daemons: (() => number | undefined)[] = [];
  const actions: { readonly what: string; readonly action: () => unknown }[] = [];
  // A dying run cannot wait; what it cannot take away, the next one sweeps.
  const forget = onInterrupt(() => {
    for (const process of processes) process.signal('SIGKILL');
    for (const pidOf of daemons) kill(pidOf());
  });
  const defer = (what: string, action: () => unknown) => {
    actions.push({ what, action });
  };
  const adopt = (process: ManagedProcess) => {
    processes.push(process);
    defer(`process ${process.name}`, () => process.stop());
    return process;
  };
  return {
    directory,
    async network(options) {
      const network = await createTestNetwork(options);
      defer('test network', network.destroy);
      return network;
    },
    async registry(options) {
      const registry = await startRegistry(options);
      daemons.push(registry.pid);
      defer('registry', registry.close);
      return registry;
    },
    async containerd({ name = 'c', ...options } = {}) {
      const containerd = await startTestContainerd({ ...options, directory: join(directory, name) });
      daemons.push(containerd.pid);
      defer(`containerd ${name}`, containerd.close);
      return containerd;
    },
    authority: () => openTestAuthority({ directory: join(directory, 'certificates') }),
    async process(options) {
      const logFile = options.logFile ?? join(directory, `${options.name ?? 'process'}.log`);
      return adopt(await startProcess({ ...options, logFile }));
    },
    adopt,
    defer,
    logs: () => collectLogs(processes),
    async close() {
      const failures: string[] = [];
      for (let next = actions.pop(); next !== undefined; next = actions.pop()) {
        try {
          await next.action();
        } catch (error) {
          failures.push(`${next.what}: ${messageOf(error)}`);
        }
      }
      if (existsSync(directory)) await rm(directory, { recursive: true, force: true });
      forget();
      if (failures.length > 0)
        throw new Error(`the testbed could not take everything away: ${failures.join('; ')}`);
    },
  };
}

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
