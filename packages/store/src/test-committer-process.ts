import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface CommitterOptions {
  readonly path: string;
  readonly first: number;
  readonly count: number;
  readonly payloadBytes: number;
}

/** A child process that commits rows with full durability and tells which ones were acknowledged. */
export interface Committer {
  readonly stored: readonly number[];
  /** What the store logged. */
  readonly logged: readonly string[];
  /** Error codes of the commits that failed, in order, or of the opening. */
  readonly failed: readonly string[];
  waitFor(condition: () => boolean): Promise<void>;
  waitUntilOpen(): Promise<void>;
  /** Every write beyond this size of a file fails; undefined lifts the limit. */
  limitFileSize(bytes: number | undefined): Promise<void>;
  kill(): Promise<void>;
  /** Exit code after all rows were committed. */
  finished(): Promise<number | null>;
}

export function startCommitter({ path, first, count, payloadBytes }: CommitterOptions): Committer {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const program = fileURLToPath(new URL('./test-committer.ts', import.meta.url));
  const argumentsOf = [path, first, count, payloadBytes].map(String);
  const child: ChildProcess = spawn(process.execPath, ['--import', loader, program, ...argumentsOf], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close') as Promise<[number | null]>;
  const stored: number[] = [];
  const failed: string[] = [];
  const logged: string[] = [];
  let isOpen = false;
  let isEnded = false;
  const checks = new Set<() => void>();
  const lines = createInterface({ input: child.stdout! });
  lines.on('line', (line) => {
    const [word, number, code] = line.split(' ');
    if (word === 'open') {
      isOpen = true;
    } else if (word === 'stored') {
      stored.push(Number(number));
    } else if (word === 'failed' || word === 'refused') {
      failed.push(code!);
    } else if (word === 'log') {
      logged.push(line.slice('log '.length));
    }
    for (const check of checks) {
      check();
    }
  });
  void exited.then(() => {
    isEnded = true;
    for (const check of checks) {
      check();
    }
  });

  function waitFor(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (condition()) {
          checks.delete(check);
          resolve();
        } else if (isEnded) {
          checks.delete(check);
          reject(new Error(`the committer ended after ${stored.length} rows`));
        }
      };
      checks.add(check);
      check();
    });
  }

  return {
    stored,
    failed,
    logged,
    waitFor,
    waitUntilOpen: () => waitFor(() => isOpen),
    async limitFileSize(bytes) {
      await run('prlimit', ['--pid', String(child.pid), `--fsize=${bytes ?? 'unlimited'}:unlimited`]);
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async finished() {
      const [code] = await exited;
      return code;
    },
  };
}
