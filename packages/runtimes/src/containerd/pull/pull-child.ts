import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Clock, redactText } from '@oakestra/daemon';
import { imageError } from '../../images/image-errors.ts';
import type { ImageProgress } from '../../runtime.ts';
import type { UnpackedImage } from './local-image.ts';
import { decodeReport, encodeOrder, type PullOrder, type PullReport } from './pull-messages.ts';

/** How the child is started: a program that calls `runImagePullProgram`. */
export interface ChildProgram {
  readonly command: string;
  readonly args: readonly string[];
}

export interface PullChildOptions {
  readonly program: ChildProgram;
  readonly order: PullOrder;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImageProgress) => void;
}

/** The child ended without saying how the pull ended, so nobody cleaned up. */
export class ChildCrashedError extends Error {
  override readonly name = 'ChildCrashedError';
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** A cancelled child cleans up first; after this time it is killed. */
const CLEAN_UP_MS = 10_000;
const MAX_ERROR_TEXT = 2_000;

/**
 * Pulls one image in a child process, so that neither its memory nor its work is ours. Returns when the child is
 * gone, also after cancelling; a child that broke down rejects with a {@link ChildCrashedError}.
 */
export async function pullInChild(options: PullChildOptions): Promise<UnpackedImage> {
  const { program, order, clock, signal, onProgress } = options;
  signal.throwIfAborted();
  const child: Child = spawn(program.command, program.args, { stdio: ['pipe', 'pipe', 'pipe'] });
  // A child that is gone does not read its order; its end says why.
  child.stdin.on('error', () => undefined);
  child.stdin.write(encodeOrder(order));

  let result: PullReport | undefined;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const report = decodeReport(line);
    if (report?.kind === 'progress') onProgress(report.progress);
    else if (report !== undefined) result = report;
  });
  let errorText = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorText = (errorText + text).slice(-MAX_ERROR_TEXT);
  });

  let cancelKill = (): void => undefined;
  const cancel = (): void => {
    child.stdin.end();
    cancelKill = clock.setTimer(CLEAN_UP_MS, () => child.kill('SIGKILL'));
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const how = await ended(child);
    if (result?.kind === 'done') return result.image;
    // A child that was cancelled and answered has cleaned up.
    if (result?.kind === 'failed') throw signal.aborted ? signal.reason : result.error;
    throw new ChildCrashedError(`${how}${errorText === '' ? '' : `: ${redactText(errorText.trim())}`}`);
  } finally {
    signal.removeEventListener('abort', cancel);
    cancelKill();
    child.stdin.destroy();
  }
}

/** The crash as the user sees it. */
export function crashError(imageName: string, crash: ChildCrashedError) {
  return imageError(
    'image-pull-failed',
    `Pulling image ${imageName} broke off: the process that pulls ${crash.message}. It will be continued from there ` +
      'when tried again; if this repeats, see whether this host is out of memory',
    { cause: crash },
  );
}

function ended(child: Child): Promise<string> {
  return new Promise((resolve) => {
    // `close` comes after the last line was read; a program that cannot be started has no other end than `error`.
    child.once('error', (error) => resolve(`could not be started (${error.message})`));
    child.once('close', (code, signal) =>
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
    );
  });
}
