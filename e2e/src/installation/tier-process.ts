import { join } from 'node:path';
import {
  freeze,
  killNow,
  type ManagedProcess,
  type ProcessExit,
  type Testbed,
  type TestHost,
  thaw,
} from '@oakestra/testbed';
import { CLEAN_ENVIRONMENT, PROGRAM } from '../program.ts';

/** `up` is all three in one process. */
export type Role = 'root' | 'cluster' | 'worker' | 'up';

/** A daemon on a test host that can be started, killed and started again at the same place. */
export interface TierProcess {
  readonly role: Role;
  readonly host: TestHost;
  readonly stateDirectory: string;
  readonly logFile: string;
  pid(): number;
  isRunning(): boolean;
  /** Starts the process without waiting for anything. */
  launch(): Promise<ManagedProcess>;
  /** Starts it and waits until it says that it is ready. */
  start(): Promise<void>;
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; how it ended, and after how long. A process that takes longer than `graceMs` is killed. */
  stop(options?: { readonly graceMs?: number }): Promise<ProcessExit & { readonly tookMs: number }>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  output(): Promise<string>;
}

export interface TierProcessOptions {
  readonly testbed: Testbed;
  readonly host: TestHost;
  readonly role: Role;
  /** Of the log. */
  readonly name: string;
  readonly stateDirectory: string;
  readonly flags: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const READY_TIMEOUT_MS = 60_000;
const READY: Readonly<Record<Role, RegExp>> = {
  root: /root is ready/,
  cluster: /cluster is ready/,
  worker: /worker is ready/,
  up: /all tiers have started/,
};

export function createTierProcess(options: TierProcessOptions): TierProcess {
  const { testbed, host, role, name, stateDirectory } = options;
  const logFile = join(testbed.directory, `${name}.log`);
  let current: ManagedProcess | undefined;

  const running = (): ManagedProcess => {
    if (current === undefined) throw new Error(`${name} was never started`);
    return current;
  };
  const launch = async (): Promise<ManagedProcess> => {
    const args = [PROGRAM, role, '--state-directory', stateDirectory, ...options.flags];
    const env = { ...CLEAN_ENVIRONMENT, ...options.env };
    current = testbed.adopt(await host.spawn(process.execPath, args, { name, logFile, env }));
    return current;
  };

  return {
    role,
    host,
    stateDirectory,
    logFile,
    pid: () => running().pid,
    isRunning: () => current?.isRunning() === true,
    launch,
    async start() {
      const started = await launch();
      await started.waitForLine(READY[role], { timeoutMs: READY_TIMEOUT_MS });
    },
    async kill() {
      if (current?.isRunning() !== true) return;
      await killNow(current);
      await current.exited;
    },
    async stop({ graceMs = 30_000 } = {}) {
      const startMs = performance.now();
      const exit = await running().stop({ graceMs });
      return { ...exit, tookMs: performance.now() - startMs };
    },
    freeze: () => freeze(running()),
    thaw: () => thaw(running()),
    output: () => running().output(),
  };
}
