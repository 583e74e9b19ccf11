interface Command {
  readonly name: string;
  /** File that holds the program. */
  readonly bundle: string;
  readonly summary: string;
  /** Several commands in one bundle: it gets the name as its first argument. */
  readonly keepsName?: boolean;
  /** Started by our own programs only, so people need not see it. */
  readonly isInternal?: boolean;
}

const COMMANDS: readonly Command[] = [
  {
    name: 'up',
    bundle: 'up',
    keepsName: true,
    summary: 'Run all three tiers on this machine, in one process.',
  },
  {
    name: 'down',
    bundle: 'up',
    keepsName: true,
    summary: 'Stop what "up" started; with --purge also remove every trace of it.',
  },
  { name: 'root', bundle: 'root', summary: 'Run a root orchestrator: users, applications, clusters.' },
  { name: 'cluster', bundle: 'cluster', summary: 'Run a cluster orchestrator: places and keeps instances.' },
  {
    name: 'worker',
    bundle: 'worker',
    summary: 'Run a worker: starts the instances of this machine.',
  },
  { name: 'image-pull', bundle: 'image-pull', summary: 'Pull one image.', isInternal: true },
];

export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}

/** The text of `oakestra --help`. */
export function commandHelp(): string {
  const lines = COMMANDS.filter((command) => command.isInternal !== true).map(
    ({ name, summary }) => `  ${name.padEnd(9)}${summary}\n`,
  );
  return [
    'Usage: oakestra <command> [flags]\n\n',
    'Orchestrates containers on edge machines in three tiers: root, cluster, worker.\n\n',
    'Commands:\n',
    ...lines,
    '\nFlags:\n',
    '  <command> --help          Everything that can be set, with its default.\n',
    '  <command> --print-config  The settings as they would be used, and where each one comes from.\n',
    '  --version                 Print the version.\n',
  ].join('');
}
