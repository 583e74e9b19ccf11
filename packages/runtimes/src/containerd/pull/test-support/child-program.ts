import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ChildProgram } from '../pull-child.ts';

const run = promisify(execFile);

/** The child's program, bundled to CommonJS as the product is. */
export async function buildChildProgram(): Promise<ChildProgram & { dispose(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'oakestra-pull-program-'));
  const outfile = join(directory, 'program.cjs');
  const main = fileURLToPath(new URL('../image-pull-main.ts', import.meta.url));
  const entry = join(directory, 'entry.ts');
  await writeFile(
    entry,
    `import { runImagePullProgram } from ${JSON.stringify(main)};
    runImagePullProgram().then((code) => process.exit(code));`,
  );
  const format = ['--bundle', '--platform=node', '--format=cjs', '--target=node20', '--log-level=error'];
  await run('npx', ['--no-install', 'esbuild', entry, ...format, `--outfile=${outfile}`]);
  return {
    command: process.execPath,
    args: [outfile],
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Kills the processes that run `program` for this one; returns how many. */
export async function killChildren({ args }: ChildProgram): Promise<number> {
  let count = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (args[0] === undefined || !words.includes(args[0])) continue;
    process.kill(Number(name), 'SIGKILL');
    count++;
  }
  return count;
}
