import { spawn } from 'node:child_process';
import { OakestraError } from '@oakestra/contracts';
import { missingProgram } from './missing-program.ts';

export interface RunOptions {
  /** Written to the program's standard input, which is empty otherwise. */
  readonly stdin?: string;
  /** After this time the program is killed. Default 10 s. */
  readonly timeoutMs?: number;
  /** Kills the program; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Exit codes that are no failure. Default: only 0. */
  readonly acceptedExitCodes?: readonly number[];
  /** Standard output beyond this is a failure. Default 16 MiB. */
  readonly maxOutputBytes?: number;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Signature of {@link run}, for those who take it as a port. */
export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Enough for a message; a program that complains without end is not listened to. */
const STDERR_BYTES = 16 * 1024;
const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Runs a program to its end. Fails with `program-missing` (names the Debian package), `program-failed` (with exit
 * code and error output in the details), `program-timeout` or `program-output-too-large`. No shell is involved,
 * and messages are asked for in English.
 */
export const run: Run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS, maxOutputBytes = DEFAULT_OUTPUT_BYTES } = options;
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const child = spawn(command, args, { env: environment(), stdio: ['pipe', 'pipe', 'pipe'] });
    const stdout = collector(maxOutputBytes);
    const stderr = collector(STDERR_BYTES);
    let failure: unknown;

    const kill = (reason: unknown) => {
      failure ??= reason;
      child.kill('SIGKILL');
    };
    const onAbort = () => kill(signal?.reason);
    const timer = setTimeout(() => kill(timedOut(command, args, timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };

    child.stdout.on('data', (chunk: Buffer) => {
      if (!stdout.add(chunk)) kill(tooLarge(command, args, maxOutputBytes));
    });
    child.stderr.on('data', (chunk: Buffer) => void stderr.add(chunk));
    // A program may end without reading its input; its exit code tells the story.
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');

    child.once('error', (error: NodeJS.ErrnoException) => {
      finish();
      reject(error.code === 'ENOENT' ? missingProgram(command, error) : cannotStart(command, error));
    });
    child.once('close', (code, endedBy) => {
      finish();
      if (failure !== undefined) return reject(failure);
      const result = { stdout: stdout.text(), stderr: stderr.text(), exitCode: code ?? -1 };
      if (code !== null && (options.acceptedExitCodes ?? [0]).includes(code)) return resolve(result);
      return reject(failed(command, args, { ...result, endedBy }));
    });
  });

function environment(): NodeJS.ProcessEnv {
  const given = process.env.PATH?.split(':') ?? [];
  const missing = SEARCH_PATH.filter((directory) => !given.includes(directory));
  return { ...process.env, PATH: [...given, ...missing].join(':'), LC_ALL: 'C' };
}

function collector(limitBytes: number) {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    /** False when the chunk does not fit any more; it is dropped then. */
    add(chunk: Buffer): boolean {
      if (size + chunk.length > limitBytes) return false;
      size += chunk.length;
      chunks.push(chunk);
      return true;
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

/** How a command line is shown in messages: long ones are cut. */
function show(command: string, args: readonly string[]): string {
  const line = [command, ...args].join(' ');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

function failed(
  command: string,
  args: readonly string[],
  result: RunResult & { readonly endedBy: NodeJS.Signals | null },
): OakestraError {
  const how = result.endedBy === null ? `exit code ${result.exitCode}` : `signal ${result.endedBy}`;
  const said = result.stderr.trim() || result.stdout.trim().slice(-500) || 'it said nothing';
  const hint = /operation not permitted|permission denied|must be root/i.test(said)
    ? ' (root or CAP_NET_ADMIN is needed)'
    : '';
  return new OakestraError('internal', 'program-failed', `${show(command, args)}: ${how}: ${said}${hint}`, {
    details: { command, exitCode: result.exitCode, stderr: result.stderr },
  });
}

function cannotStart(command: string, cause: NodeJS.ErrnoException): OakestraError {
  const kind = cause.code === 'EAGAIN' || cause.code === 'ENOMEM' ? 'exhausted' : 'internal';
  return new OakestraError(kind, 'program-failed', `${command} cannot be started: ${cause.message}`, {
    cause,
    details: { command },
  });
}

function timedOut(command: string, args: readonly string[], timeoutMs: number): OakestraError {
  const message = `${show(command, args)} did not end within ${timeoutMs} ms and was killed`;
  return new OakestraError('timeout', 'program-timeout', message, { details: { command, timeoutMs } });
}

function tooLarge(command: string, args: readonly string[], limitBytes: number): OakestraError {
  const message = `${show(command, args)} wrote more than ${limitBytes} bytes and was killed`;
  return new OakestraError('exhausted', 'program-output-too-large', message, {
    details: { command, limitBytes },
  });
}
