import { copyFile, mkdir, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ManagedProcess } from './managed-process.ts';

type Logged = Pick<ManagedProcess, 'name' | 'logFile'>;

/** The end of each log, under a heading, for the message of a failed test. `tailBytes` default 4,000 each. */
export async function collectLogs(
  processes: readonly Logged[],
  { tailBytes = 4_000 }: { readonly tailBytes?: number } = {},
): Promise<string> {
  const parts = await Promise.all(
    processes.map(async ({ name, logFile }) => `--- ${name} (${logFile})\n${await tail(logFile, tailBytes)}`),
  );
  return parts.join('\n');
}

/** Copies the logs into a folder that outlives the test; returns the copies. */
export async function keepLogs(processes: readonly Logged[], directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  return Promise.all(
    processes.map(async ({ name, logFile }) => {
      const copy = join(directory, `${name.replaceAll(/[^\w.-]/g, '_')}-${basename(logFile)}`);
      await copyFile(logFile, copy);
      return copy;
    }),
  );
}

async function tail(file: string, bytes: number): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return '(no log)';
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, Math.max(0, size - bytes));
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await handle.close();
  }
}
