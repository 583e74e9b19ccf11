import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A program of the tests in a process of its own, and what it printed. */
export interface TestChild {
  readonly lines: readonly string[];
  waitFor(condition: () => boolean): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

/** Starts a TypeScript file. */
export function startTestChild(file: URL, parameters: readonly string[]): TestChild {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawn(process.execPath, ['--import', loader, fileURLToPath(file), ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close');
  const lines: string[] = [];
  const checks = new Set<() => void>();
  const checkAll = (): void => {
    for (const check of checks) check();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    checkAll();
  });
  void exited.then(checkAll);
  return {
    lines,
    waitFor: (condition) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (condition()) {
            checks.delete(check);
            resolve();
          } else if (child.exitCode !== null || child.signalCode !== null) {
            checks.delete(check);
            reject(new Error(`the program ended: ${lines.slice(-5).join(', ')}`));
          }
        };
        checks.add(check);
        check();
      }),
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
