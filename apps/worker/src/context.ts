import type { Clock, Lifecycle, Logger, Random } from '@oakestra/daemon';
import type { WorkerSettings } from './settings.ts';

/** What a worker is composed with. */
export interface WorkerContext {
  readonly settings: WorkerSettings;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** The program that pulls images, as a child process. */
  readonly imagePullProgram: { readonly command: string; readonly args: readonly string[] };
  /** The journal cannot be written: the process has to end, and to start again from what the disk has. */
  readonly onFatal: (error: Error) => void;
}
