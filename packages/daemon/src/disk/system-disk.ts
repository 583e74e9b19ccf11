import { randomBytes } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type AppendFile, type Disk, DiskError, type DiskErrorCode } from './disk.ts';
import { createSerialQueue } from './serial-queue.ts';

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EFBIG: 'disk-full',
  EROFS: 'disk-read-only',
  EACCES: 'disk-denied',
  EPERM: 'disk-denied',
};

/** The disk of the machine. */
export function systemDisk(): Disk {
  return {
    openAppendFile: (path, mode = 0o600) =>
      explained('open', path, async () => {
        const file = await openOrCreate(path, mode);
        return appendFile(path, file, (await file.stat()).size);
      }),
    readFile: (path) =>
      explained('read', path, async () => {
        try {
          return await readFile(path);
        } catch (error) {
          if (errnoOf(error) === 'ENOENT') return undefined;
          throw error;
        }
      }),
    replaceFile: (path, content, mode = 0o600) =>
      explained('write', path, async () => {
        const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
        try {
          await writeNew(temporary, content, mode);
          await rename(temporary, path);
        } catch (error) {
          await rm(temporary, { force: true }).catch(() => {});
          throw error;
        }
        await syncDirectory(dirname(path));
      }),
    removeFile: (path) =>
      explained('remove', path, async () => {
        try {
          await rm(path);
        } catch (error) {
          if (errnoOf(error) === 'ENOENT') return;
          throw error;
        }
        await syncDirectory(dirname(path));
      }),
    listFiles: (directory) =>
      explained('list', directory, async () => {
        try {
          const entries = await readdir(directory, { withFileTypes: true });
          return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
        } catch (error) {
          if (errnoOf(error) === 'ENOENT') return [];
          throw error;
        }
      }),
    ensureDirectory: (path, mode = 0o700) =>
      explained('create', path, async () => {
        const firstCreated = await mkdir(path, { recursive: true, mode });
        await chmod(path, mode);
        if (firstCreated === undefined) return;
        for (let created = path; created.length >= firstCreated.length; created = dirname(created)) {
          await syncDirectory(dirname(created));
        }
      }),
  };
}

async function openOrCreate(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const file = await open(path, 'wx+', mode);
  try {
    await syncDirectory(dirname(path));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function appendFile(path: string, file: FileHandle, initialSize: number): AppendFile {
  const inOrder = createSerialQueue();
  let size = initialSize;
  let state: 'open' | 'broken' | 'closed' = 'open';

  const work = (operation: string, action: () => Promise<void>) =>
    inOrder(() => {
      if (state !== 'open')
        throw new DiskError(state === 'closed' ? 'disk-closed' : 'disk-broken', operation, path);
      return explained(operation, path, action);
    });
  const breaking = async (action: () => Promise<void>) => {
    try {
      await action();
    } catch (error) {
      state = 'broken';
      throw error;
    }
  };

  return {
    get size() {
      return size;
    },
    append: (bytes) =>
      work('write', async () => {
        try {
          await writeAll(file, bytes, size);
        } catch (error) {
          // A part may have been written; what cannot be taken back makes the file unusable.
          await breaking(() => file.truncate(size)).catch(() => {});
          throw error;
        }
        size += bytes.byteLength;
      }),
    // The kernel drops pages that it could not write: a second sync would succeed without them.
    sync: () => work('sync', () => breaking(() => file.datasync())),
    truncate: (length) =>
      work('truncate', async () => {
        if (!(length >= 0 && length <= size))
          throw new RangeError(`${length} is not within 0 and ${size} bytes`);
        await file.truncate(length);
        size = length;
      }),
    close: () =>
      inOrder(async () => {
        if (state === 'closed') return;
        state = 'closed';
        await explained('close', path, () => file.close());
      }),
  };
}

async function writeNew(path: string, content: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await writeAll(file, content, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.byteLength - written, position + written);
    written += bytesWritten;
  }
}

/** A new or changed name survives a crash only when its directory has been synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function explained<T>(operation: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof DiskError || error instanceof RangeError) throw error;
    throw new DiskError(CODES[errnoOf(error)] ?? 'disk-failed', operation, path, error);
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
