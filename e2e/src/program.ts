import { fileURLToPath } from 'node:url';
import { type CommandOptions, type CommandOutput, runCommand } from '@oakestra/testbed';

const fromRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The executable, as people start it. */
export const PROGRAM = fromRepository('dist/oakestra.cjs');

/** Files that differ between machines and users must not reach the programs under test. */
export const CLEAN_ENVIRONMENT = { OAKESTRA_CONFIG: '', XDG_STATE_HOME: '' } as const;

/** Builds the programs when their sources have changed since the last build. */
export async function ensureBuild(): Promise<void> {
  await runCommand(process.execPath, [fromRepository('scripts/build.mjs')], { timeoutMs: 120_000 });
}

/** Runs `oakestra <args>` to its end. */
export function runOakestra(args: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
  return runCommand(process.execPath, [PROGRAM, ...args], {
    timeoutMs: 60_000,
    ...options,
    env: { ...CLEAN_ENVIRONMENT, ...options.env },
  });
}
