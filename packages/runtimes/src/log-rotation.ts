import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { messageOf } from '@oakestra/contracts';
import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';

export interface LogLimits {
  /** Size at which a log is rotated, default 10 MiB. */
  readonly maxBytes: number;
  /** How many files there may be of one log, the current one included; default 3. */
  readonly files: number;
}

export const defaultLogLimits: LogLimits = { maxBytes: 10 * 1024 * 1024, files: 3 };

const pieceBytes = 256 * 1024;
const logMode = 0o640;

/**
 * Makes room in a log that has grown too large: what it holds goes to `<path>.1`, older files move up, the
 * oldest goes. The writer keeps its file open, so the content is copied and the file is cut to nothing; the few
 * bytes written between the two are lost. Answers whether it rotated; a missing log is fine.
 */
export async function rotateLog(path: string, limits: LogLimits = defaultLogLimits): Promise<boolean> {
  const size = await sizeOf(path);
  if (size <= limits.maxBytes) return false;
  const oldest = limits.files - 1;
  for (let number = oldest - 1; number >= 1; number -= 1) {
    await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(unlessMissing);
  }
  const log = await open(path, constants.O_RDWR);
  try {
    if (oldest >= 1) await copyEnd(log, `${path}.1`, limits.maxBytes);
    await log.truncate(0);
  } finally {
    await log.close();
  }
  return true;
}

/**
 * Copies at most the last `maxBytes`, and as much again of what is written meanwhile: neither a log that grew far
 * beyond its limit nor a writer that is faster than the copy may fill the disk.
 */
async function copyEnd(log: FileHandle, target: string, maxBytes: number): Promise<void> {
  const copy = await open(target, 'w', logMode);
  try {
    const { size } = await log.stat();
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(size, 1)));
    let position = Math.max(0, size - maxBytes);
    while (position < size + maxBytes) {
      const { bytesRead } = await log.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      await copy.write(buffer, 0, bytesRead);
      position += bytesRead;
    }
  } finally {
    await copy.close();
  }
}

/** The last `maxBytes` of a log as text, from the beginning of a line on, rotated files included. */
export async function tailLog(path: string, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let leftBytes = maxBytes;
  let isCut = false;
  for (let number = 0; leftBytes > 0; number += 1) {
    const part = await readEnd(number === 0 ? path : `${path}.${number}`, leftBytes);
    if (part === undefined) break;
    parts.unshift(part.bytes);
    leftBytes -= part.bytes.length;
    isCut = part.isCut;
    if (isCut) break;
  }
  const bytes = Buffer.concat(parts);
  if (!isCut) return bytes.toString('utf8');
  // A line longer than all that was asked for is better shown in part than not at all.
  const lineStart = bytes.indexOf(0x0a) + 1;
  return bytes.subarray(lineStart < bytes.length ? lineStart : 0).toString('utf8');
}

async function readEnd(
  path: string,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly isCut: boolean } | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    unlessMissing(error);
    return undefined;
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return { bytes: buffer.subarray(0, bytesRead), isCut: size > maxBytes };
  } finally {
    await file.close();
  }
}

/** Removes a log with its rotated files; fine when there is none. */
export async function removeLog(path: string): Promise<void> {
  await rm(path, { force: true });
  for (let number = 1; ; number += 1) {
    try {
      await rm(`${path}.${number}`);
    } catch (error) {
      unlessMissing(error);
      return;
    }
  }
}

export interface LogRotationOptions {
  /** The logs that are being written now. */
  readonly paths: () => Iterable<string>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default 10 s. */
  readonly intervalMs?: number;
  readonly limits?: LogLimits;
}

/** Keeps logs within their limits until it is stopped. */
export interface LogRotation {
  stop(): void;
}

const defaultIntervalMs = 10_000;

export function startLogRotation(options: LogRotationOptions): LogRotation {
  const { clock, logger, intervalMs = defaultIntervalMs, limits = defaultLogLimits } = options;
  let cancel: CancelTimer | undefined;
  let isStopped = false;
  const round = async (): Promise<void> => {
    for (const path of options.paths()) {
      if (isStopped) return;
      await rotateLog(path, limits).catch((error: unknown) => {
        logger.warn('A log could not be rotated', { path, reason: messageOf(error) });
      });
    }
  };
  const schedule = (): void => {
    cancel = clock.setTimer(intervalMs, () => {
      void round().finally(() => {
        if (!isStopped) schedule();
      });
    });
  };
  schedule();
  return {
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    unlessMissing(error);
    return 0;
  }
}

function unlessMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
