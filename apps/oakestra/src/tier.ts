import type {
  Clock,
  Lifecycle,
  Logger,
  ProcessPort,
  Random,
  SettingsTable,
  SettingsValues,
} from '@oakestra/daemon';

export const ROLES = ['root', 'cluster', 'worker'] as const;
export type Role = (typeof ROLES)[number];

/** What tiers are composed from; those of one process share it. */
export interface DaemonContext {
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** The process cannot go on: it stops in order and ends with exit code 1. */
  readonly onFatal: (error: Error) => void;
}

/** Something that a program does once, with one operand. */
export interface TierAction<T extends SettingsTable = SettingsTable> {
  /** For the help. */
  readonly operand: string;
  readonly summary: string;
  /** Resolves to what people are told; rejects with an `OakestraError`. */
  run(
    operand: string,
    context: Omit<DaemonContext, 'lifecycle' | 'onFatal'> & { readonly settings: SettingsValues<T> },
  ): Promise<string>;
}

/** One role of the program, as its bundle offers it. */
export interface Tier<T extends SettingsTable = SettingsTable> {
  readonly role: Role;
  /** For the help: what this role does. */
  readonly summary: string;
  readonly settings: T;
  /** What the program can do beside running: `oakestra root backup FILE`. By name. */
  readonly actions?: Readonly<Record<string, TierAction<T>>>;
  /** Adds the parts of the tier to the lifecycle; nothing runs before that starts. */
  compose(context: DaemonContext & { readonly settings: SettingsValues<T> }): void;
}

/** What the bundle of a program exports to the dispatcher. */
export interface ProgramBundle {
  /** Runs the program; resolves to its exit code. */
  run(argv: readonly string[], machine: Machine): Promise<number>;
}

/** The outside of a program; tests give their own. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results go here, log and errors to standard error. */
  print(text: string): void;
  printError(text: string): void;
  /** Loads another bundle of this build. */
  loadBundle(name: string): unknown;
  /** Tells whoever started us with a channel, as `npm start` does; nobody else is listening. */
  tellParent(message: Readonly<Record<string, unknown>>): void;
  readonly process: ProcessPort;
}
