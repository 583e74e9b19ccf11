import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ContainerdPlace,
  removeContainerd,
  startContainerd,
  stopContainerd,
} from '../../../scripts/setup/containerd-instance.mjs';
import { killNow } from '../faults/index.ts';
import type { TestHost } from '../hosts/index.ts';
import { OWNER_VARIABLE, ownOwnerId, runCommand } from '../processes/index.ts';
import { type ContainerdLeftovers, type LeftoverOptions, leftoversOf } from './leftovers.ts';

export interface TestContainerdOptions {
  /** Its files and socket go below this folder; keep it short. */
  readonly directory: string;
  /** The test host it runs on; default: the machine itself. */
  readonly host?: Pick<TestHost, 'through'>;
}

/** A containerd of a test's own, without the CRI plugin. */
export interface TestContainerd {
  readonly address: string;
  readonly logFile: string;
  pid(): number | undefined;
  /** Runs `ctr` in a namespace of it. */
  ctr(namespace: string, args: readonly string[]): Promise<string>;
  /** Stops it in order; its containers go on. */
  stop(): Promise<void>;
  /** Kills it without warning; its containers go on. */
  kill(): Promise<void>;
  /** Starts it again at the same place. */
  start(): Promise<void>;
  /** What lies in it and runs under it now. It must be running. */
  leftovers(options?: LeftoverOptions): Promise<ContainerdLeftovers>;
  logs(): Promise<string>;
  /** Stops it, kills its containers, unmounts and removes its files. Idempotent. */
  close(): Promise<void>;
}

export async function startTestContainerd({
  directory,
  host,
}: TestContainerdOptions): Promise<TestContainerd> {
  const place: ContainerdPlace = {
    address: join(directory, 'containerd.sock'),
    root: join(directory, 'containerd-root'),
    state: join(directory, 'containerd-state'),
    logFile: join(directory, 'containerd.log'),
  };
  let pid: number | undefined;
  const start = async () => {
    ({ pid } = await startContainerd(place, {
      through: host?.through ?? [],
      env: { ...process.env, [OWNER_VARIABLE]: ownOwnerId() },
    }));
  };
  const close = async () => {
    pid = undefined;
    await removeContainerd(place);
  };
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address: place.address,
    logFile: place.logFile,
    pid: () => pid,
    async ctr(namespace, args) {
      const { stdout } = await runCommand(
        'ctr',
        ['--address', place.address, '--namespace', namespace, ...args],
        {
          timeoutMs: 120_000,
        },
      );
      return stdout;
    },
    async stop() {
      pid = undefined;
      await stopContainerd(place);
    },
    async kill() {
      if (pid === undefined) return;
      await killNow({ pid });
      pid = undefined;
    },
    start,
    leftovers: (options) => leftoversOf(place, options),
    logs: async () => (existsSync(place.logFile) ? readFile(place.logFile, 'utf8') : ''),
    close,
  };
}
