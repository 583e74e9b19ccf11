import type { InstanceSpec } from '../runtime.ts';
import { commandNotFound } from '../runtime-errors.ts';
import { signalNumber } from '../signals.ts';

/** What a fake instance does. */
export interface FakeProgram {
  /** Written to the log when it starts. */
  readonly output?: string;
  /** Ends by itself with this code, so long after its start. */
  readonly ends?: { readonly code: number; readonly afterMs: number };
  /** What a signal other than SIGKILL does to it; default: it ends at once, by the signal. */
  readonly onSignal?: (signal: string) => 'ignore' | { readonly code: number; readonly afterMs: number };
  /** What it takes; more than its limit ends it. */
  readonly memoryBytes: number;
}

/** Tells what an instance does; throws when it cannot even start. */
export type FakePrograms = (spec: InstanceSpec) => FakeProgram;

const megabyte = 1 << 20;

/**
 * Programs by command: `exit <code> [afterMs]`, `print <text>`, `graceful [afterMs]` (ends with 0 when asked),
 * `stubborn` (ends only by SIGKILL), `hungry <mib>`, `missing`. Anything else, also no command at all, runs
 * until it is asked to end.
 */
export const commandPrograms: FakePrograms = (spec) => {
  const [name, argument] = spec.command;
  const afterMs = Number(spec.command[name === 'exit' ? 2 : 1] ?? 0);
  const memoryBytes = megabyte;
  switch (name) {
    case 'exit':
      return { ends: { code: Number(argument ?? 0), afterMs }, memoryBytes };
    case 'print':
      return { output: `${argument ?? ''}\n`, memoryBytes };
    case 'stubborn':
      return { onSignal: () => 'ignore', memoryBytes };
    case 'hungry':
      return { memoryBytes: Number(argument ?? 1) * megabyte };
    case 'missing':
      throw commandNotFound(name, spec.image.reference);
    default:
      return { onSignal: () => ({ code: 0, afterMs: name === 'graceful' ? afterMs : 0 }), memoryBytes };
  }
};

/** The status of a process that a signal ended. */
export function statusOfSignal(signal: string): number {
  return 128 + signalNumber(signal);
}
