// The dispatcher: finds out what is wanted and loads the one bundle that does it. It imports nothing but Node's own
// modules, because whatever it loads stays in the memory of every daemon.
import { join } from 'node:path';
import { commandHelp, findCommand } from './commands.ts';
import { loadBundle } from './load-bundle.ts';
import type { Machine, ProgramBundle } from './tier.ts';
import { version } from './version.ts';

const USAGE_ERROR = 2;

async function main(argv: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version' || name === 'version') {
    process.stdout.write(`oakestra ${version}\n`);
    return 0;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(commandHelp());
    return 0;
  }
  const command = findCommand(name);
  if (command === undefined) {
    process.stderr.write(`oakestra: "${name}" is no command.\n\n${commandHelp()}`);
    return USAGE_ERROR;
  }
  const program = machine.loadBundle(command.bundle) as ProgramBundle;
  return program.run(command.keepsName === true ? [name, ...rest] : rest, machine);
}

const machine: Machine = {
  env: process.env,
  print: (text) => void process.stdout.write(text),
  printError: (text) => void process.stderr.write(text),
  loadBundle: (name) => loadBundle(join(import.meta.dirname, `${name}.cjs`)),
  tellParent(message) {
    if (process.send === undefined) return;
    process.send(message);
    // An open channel would keep the process alive after its end.
    process.disconnect();
  },
  process,
};

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`oakestra: ${text}\n`);
    process.exitCode = 1;
  },
);
