import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Clock, type Random, systemClock, systemRandom } from '@oakestra/daemon';
import type { ImageProgress } from '../../runtime.ts';
import { createContainerdConnection } from '../containerd-connection.ts';
import { pullImage } from './pull-image.ts';
import { decodeOrder, encodeReport, type PullReport, sendableError } from './pull-messages.ts';

export interface ImagePullProgramOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  readonly random: Random;
}

const PROGRESS_EVERY_MS = 200;

/**
 * The program of the child process that pulls one image: reads one order, reports, and is done. It gives up and
 * cleans up when its input ends before that: then whoever ordered it is gone or does not want it any more.
 * Resolves to the exit code.
 */
export async function runImagePullProgram(
  options: ImagePullProgramOptions = {
    input: process.stdin,
    output: process.stdout,
    clock: systemClock(),
    random: systemRandom(),
  },
): Promise<number> {
  const { input, output, clock, random } = options;
  const cancelled = new AbortController();
  const lines = createInterface({ input });
  const cancel = (): void => cancelled.abort(new Error('the pull was cancelled'));
  lines.once('close', cancel);
  // Ctrl-C reaches the whole process group, and a service manager signals all processes of a service.
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  // Nobody reads any more: the end of the input says the same.
  output.on('error', () => undefined);
  const report = (message: PullReport): Promise<void> =>
    new Promise((resolve) => {
      output.write(encodeReport(message), () => resolve());
    });

  const first = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
  });
  if (first === undefined) return 1;
  let exitCode = 0;
  try {
    const { socketPath, namespace, ...order } = decodeOrder(first);
    const connection = createContainerdConnection({ socketPath, namespace });
    const onProgress = throttled(clock, (progress) => void report({ kind: 'progress', progress }));
    try {
      const image = await pullImage(
        { ...order, signal: cancelled.signal, onProgress },
        { ...order, connection, clock, random },
      );
      await report({ kind: 'done', image });
    } finally {
      connection.close();
    }
  } catch (error) {
    exitCode = 1;
    await report({ kind: 'failed', error: sendableError(error) });
  }
  lines.off('close', cancel);
  process.off('SIGINT', cancel);
  process.off('SIGTERM', cancel);
  lines.close();
  input.destroy();
  return exitCode;
}

/** Passes on the first of each phase, then one in a while, and whatever completes a phase. */
function throttled(clock: Clock, tell: (progress: ImageProgress) => void): (progress: ImageProgress) => void {
  const toldAtMs = new Map<ImageProgress['phase'], number>();
  return (progress) => {
    const now = clock.monotonicMs();
    const last = toldAtMs.get(progress.phase);
    const isDue = last === undefined || now - last >= PROGRESS_EVERY_MS;
    if (!isDue && progress.doneBytes < progress.totalBytes) return;
    toldAtMs.set(progress.phase, now);
    tell(progress);
  };
}
