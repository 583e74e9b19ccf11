import { spawn } from 'node:child_process';
import { OakestraError } from '@oakestra/contracts';
import { OWNER_VARIABLE, ownOwnerId } from './owner.ts';

export interface CommandOptions {
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Text for its standard input; default: none. */
  readonly input?: string;
  /** Then SIGKILL and an error; default 30,000. */
  readonly timeoutMs?: number;
  /** Exit codes that are no error; default: only 0. */
  readonly okCodes?: readonly number[];
}

export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program without a shell and waits for its end. Fails with `command-failed` when it cannot be started, does
 * not end in time, or ends with a code that is not in `okCodes`; the message has the end of its error output.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  { env = {}, cwd, input, timeoutMs = 30_000, okCodes = [0] }: CommandOptions = {},
): Promise<CommandOutput> {
  const described = [command, ...args].join(' ');
  const { code, signal, stdout, stderr, problem } = await new Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
    stdout: string;
    stderr: string;
    problem: string | undefined;
  }>((resolve) => {
    const child = spawn(command, args, {
      env: { ...process.env, [OWNER_VARIABLE]: ownOwnerId(), ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    let problem: string | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    const timer = setTimeout(() => {
      problem = `did not end within ${timeoutMs} ms`;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('error', (error) => {
      problem = error.message;
    });
    child.on('close', (exitCode, exitSignal) => {
      clearTimeout(timer);
      resolve({ code: exitCode, signal: exitSignal, ...output, problem });
    });
    child.stdin.on('error', () => {
      // It ended without reading its input; its exit code tells the story.
    });
    child.stdin.end(input ?? '');
  });
  if (problem === undefined && code !== null && okCodes.includes(code)) return { code, stdout, stderr };
  const why = problem ?? (signal === null ? `exit code ${code}` : `ended by ${signal}`);
  throw new OakestraError(
    'internal',
    'command-failed',
    `${described}: ${why}. ${stderr.trim().slice(-2_000)}`.trim(),
    {
      details: { code, signal, stdout: stdout.slice(-2_000) },
    },
  );
}
