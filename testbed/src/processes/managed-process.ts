import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { eventually } from './eventually.ts';
import { OWNER_VARIABLE, ownOwnerId } from './owner.ts';

export interface ProcessOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** Standard output and error together; appended, the folder is made. */
  readonly logFile: string;
  /** For messages; default: the command. */
  readonly name?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ManagedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  isRunning(): boolean;
  /** Sends a signal; does nothing when it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** What it has written so far. */
  output(): Promise<string>;
  /** The first line (of what this start wrote) that matches; fails after the deadline or when the process ends before. */
  waitForLine(pattern: RegExp, options: { readonly timeoutMs: number }): Promise<string>;
  waitForExit(options: { readonly timeoutMs: number }): Promise<ProcessExit>;
  /** SIGTERM (also to a frozen process), after `graceMs` (default 5,000) SIGKILL. Idempotent. */
  stop(options?: { readonly graceMs?: number }): Promise<ProcessExit>;
}

/** Starts a program, in a process group of its own so that a Ctrl-C of the test run does not reach it first. */
export async function startProcess({
  command,
  args = [],
  logFile,
  name = command,
  env = {},
  cwd,
}: ProcessOptions): Promise<ManagedProcess> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const logStart = await readFile(logFile).then((content) => content.length);
  const child = spawn(command, args, {
    env: { ...process.env, [OWNER_VARIABLE]: ownOwnerId(), ...env },
    stdio: ['ignore', log, log],
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  closeSync(log);
  let exit: ProcessExit | undefined;
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      resolve(exit);
    });
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number));
    child.once('error', (cause) =>
      reject(new OakestraError('internal', 'process-not-started', `${name}: ${cause.message}`, { cause })),
    );
  });

  const output = async () => (await readFile(logFile)).subarray(logStart).toString('utf8');
  const send = (signal: NodeJS.Signals) => {
    if (exit === undefined) child.kill(signal);
  };
  const ended = ({ code, signal }: ProcessExit) => `${name} ended (${signal ?? `exit code ${code}`})`;

  return {
    name,
    pid,
    logFile,
    exited,
    isRunning: () => exit === undefined,
    signal: send,
    output,
    async waitForLine(pattern, { timeoutMs }) {
      let failure: OakestraError | undefined;
      const found = await eventually(
        async () => {
          const hasEnded = exit;
          const text = await output();
          const line = text.split('\n').find((candidate) => pattern.test(candidate));
          if (line === undefined && hasEnded !== undefined) {
            failure = new OakestraError(
              'internal',
              'process-ended',
              `${ended(hasEnded)} before it wrote ${pattern}; it wrote:\n${text.slice(-2_000)}`,
            );
            return { line: '' };
          }
          if (line === undefined) throw new Error(`so far it wrote:\n${text.slice(-2_000)}`);
          return { line };
        },
        { timeoutMs, describe: `${name} to write ${pattern}`, intervalMs: 20 },
      );
      if (failure) throw failure;
      return found.line;
    },
    async waitForExit({ timeoutMs }) {
      await eventually(() => exit !== undefined, { timeoutMs, describe: `${name} to end`, intervalMs: 10 });
      return exited;
    },
    async stop({ graceMs = 5_000 } = {}) {
      send('SIGTERM');
      // A frozen process takes the signal only when it runs again.
      send('SIGCONT');
      const timer = setTimeout(() => send('SIGKILL'), graceMs);
      const result = await exited;
      clearTimeout(timer);
      return result;
    },
  };
}
