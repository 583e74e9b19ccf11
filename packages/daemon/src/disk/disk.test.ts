import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskConformance } from './disk.conformance.ts';
import { DiskError } from './disk.ts';
import { createMemoryDisk } from './memory-disk.ts';
import { systemDisk } from './system-disk.ts';

const bytes = (content: string) => new TextEncoder().encode(content);
const text = (content: Uint8Array | undefined) =>
  content === undefined ? undefined : new TextDecoder().decode(content);

diskConformance('systemDisk', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'oak-disk-'));
  return {
    disk: systemDisk(),
    directory,
    cleanUp: () => rmSync(directory, { recursive: true, force: true }),
  };
});

diskConformance('createMemoryDisk', async () => {
  const disk = createMemoryDisk();
  await disk.ensureDirectory('/state');
  return { disk, directory: '/state', cleanUp: () => {} };
});

describe('systemDisk', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'oak-disk-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it('creates files and directories for the owner only, and corrects the mode of a directory', async () => {
    const disk = systemDisk();
    const nested = join(directory, 'state');
    mkdirSync(nested);
    chmodSync(nested, 0o755);
    await disk.ensureDirectory(nested);
    await (await disk.openAppendFile(join(nested, 'a'))).close();
    await disk.replaceFile(join(nested, 'b'), bytes('x'));
    await disk.replaceFile(join(nested, 'c'), bytes('x'), 0o644);
    expect(['', 'a', 'b', 'c'].map((name) => modeOf(join(nested, name)))).toEqual([
      '700',
      '600',
      '600',
      '644',
    ]);
  });

  it('says clearly that the disk is full', async () => {
    const full = join(directory, 'full');
    symlinkSync('/dev/full', full);
    const file = await systemDisk().openAppendFile(full);
    await expect(file.append(bytes('x'))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'disk-full',
      message: expect.stringContaining(`cannot write ${full}: no space left`),
    });
    expect(file.size).toBe(0);
    // The device cannot be cut back to its size, so nothing is known about it any more.
    await expect(file.append(bytes('x'))).rejects.toMatchObject({ code: 'disk-broken' });
    await file.close();
  });

  it('refuses further work after a failed sync', async () => {
    // A terminal-like device takes writes but cannot sync.
    const path = join(directory, 'zero');
    symlinkSync('/dev/zero', path);
    const file = await systemDisk().openAppendFile(path);
    await file.append(bytes('x'));
    await expect(file.sync()).rejects.toBeInstanceOf(DiskError);
    await expect(file.sync()).rejects.toMatchObject({ code: 'disk-broken' });
    await file.close();
  });

  it('says clearly that a file system is read-only or closed to us', async () => {
    await expect(systemDisk().replaceFile('/proc/oakestra', bytes('x'))).rejects.toMatchObject({
      code: expect.stringMatching(/disk-(failed|denied)/),
      path: '/proc/oakestra',
    });
    expect(new DiskError('disk-read-only', 'write', '/x').message).toBe(
      'cannot write /x: the file system is mounted read-only; check the disk and mount it writable',
    );
  });

  it('leaves the old content and no temporary file when a replacement fails', async () => {
    const disk = systemDisk();
    const path = join(directory, 'a');
    mkdirSync(path);
    await expect(disk.replaceFile(path, bytes('x'))).rejects.toBeInstanceOf(DiskError);
    expect(await disk.listFiles(directory)).toEqual([]);
  });

  it('leaks no descriptors', async () => {
    const disk = systemDisk();
    const next = () => {
      const descriptor = openSync('/dev/null', 'r');
      closeSync(descriptor);
      return descriptor;
    };
    const before = next();
    for (let round = 0; round < 20; round++) {
      await disk.replaceFile(join(directory, 'a'), bytes('x'));
      await disk.openAppendFile(join(directory, 'missing', 'a')).catch(() => {});
      await (await disk.openAppendFile(join(directory, `n${round}`))).close();
    }
    expect(next()).toBeLessThan(before + 10);
  });
});

describe('the faults of createMemoryDisk', () => {
  const written = async (...parts: string[]) => {
    const disk = createMemoryDisk();
    const file = await disk.openAppendFile('/j');
    for (const part of parts) await (part === 'sync' ? file.sync() : file.append(bytes(part)));
    return { disk, file, content: async () => text(await disk.readFile('/j')) };
  };

  it('a crash loses what was not synced, keeps the rest, and makes handles useless', async () => {
    const { disk, file, content } = await written('safe', 'sync', 'lost');
    disk.crash();
    expect(await content()).toBe('safe');
    await expect(file.append(bytes('x'))).rejects.toMatchObject({ code: 'disk-closed' });
    const again = await disk.openAppendFile('/j');
    expect(again.size).toBe(4);
  });

  it('a crash may leave a torn end, of data or of zeros', async () => {
    const torn = await written('safe', 'sync', 'lost');
    torn.disk.crash({ keepUnsynced: (path, unsynced) => (path === '/j' && unsynced === 4 ? 2 : 0) });
    expect(await torn.content()).toBe('safelo');
    const zeros = await written('safe', 'sync', 'lost');
    zeros.disk.crash({ keepUnsynced: () => 2, keptAs: 'zeros' });
    expect(await zeros.content()).toBe('safe\0\0');
  });

  it('a crash undoes a truncation that was not synced', async () => {
    const { disk, file, content } = await written('safe', 'sync');
    await file.truncate(1);
    await file.append(bytes('X'));
    expect(await content()).toBe('sX');
    disk.crash();
    expect(await content()).toBe('safe');
  });

  it('a crash may keep a truncation with a piece of what was appended after it', async () => {
    const { disk, file, content } = await written('safe', 'sync');
    await file.truncate(1);
    await file.append(bytes('XYZ'));
    disk.crash({ keepUnsynced: (_, unsynced) => unsynced - 1 });
    expect(await content()).toBe('sXY');
  });

  it('a crash keeps replaced files, removed files and created files', async () => {
    const { disk } = await written();
    await disk.replaceFile('/r', bytes('new'));
    await disk.replaceFile('/gone', bytes('x'));
    await disk.removeFile('/gone');
    disk.crash();
    expect(disk.paths()).toEqual(['/j', '/r']);
    expect(text(await disk.readFile('/r'))).toBe('new');
  });

  it('a crash fails what is under way', async () => {
    let release = () => {};
    const disk = createMemoryDisk({
      beforeOperation: (operation) =>
        operation === 'sync'
          ? new Promise<void>((resolve) => {
              release = resolve;
            })
          : undefined,
    });
    const file = await disk.openAppendFile('/j');
    await file.append(bytes('x'));
    const syncing = expect(file.sync()).rejects.toMatchObject({ code: 'disk-closed' });
    await new Promise((resolve) => setImmediate(resolve));
    disk.crash();
    release();
    await syncing;
    expect(text(await disk.readFile('/j'))).toBe('');
  });

  it('a full disk refuses writes and leaves the file as it was, until there is space', async () => {
    const disk = createMemoryDisk({ capacityBytes: 5 });
    const file = await disk.openAppendFile('/j');
    await file.append(bytes('1234'));
    await expect(file.append(bytes('56'))).rejects.toMatchObject({ code: 'disk-full', kind: 'exhausted' });
    await expect(disk.replaceFile('/j', bytes('12'))).rejects.toMatchObject({ code: 'disk-full' });
    expect([file.size, disk.usedBytes]).toEqual([4, 4]);
    disk.setCapacity(6);
    await file.append(bytes('56'));
    await file.sync();
    expect(text(await disk.readFile('/j'))).toBe('123456');
  });

  it('a failed sync breaks the handle, as on a real disk', async () => {
    let isFailing = true;
    const disk = createMemoryDisk({
      beforeOperation: (operation, path) => {
        if (operation === 'sync' && isFailing) throw new DiskError('disk-failed', operation, path);
      },
    });
    const file = await disk.openAppendFile('/j');
    await file.append(bytes('x'));
    await expect(file.sync()).rejects.toMatchObject({ code: 'disk-failed' });
    isFailing = false;
    await expect(file.sync()).rejects.toMatchObject({ code: 'disk-broken' });
  });

  it('after any crash the file is what was synced, with at most a piece of what followed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.constant('sync'), fc.stringMatching(/^[a-z]{1,5}$/)), { maxLength: 20 }),
        fc.nat(100),
        async (parts, keep) => {
          const { disk, content } = await written(...parts);
          const whole = parts.filter((part) => part !== 'sync').join('');
          const durable = parts
            .slice(0, parts.lastIndexOf('sync') + 1)
            .filter((part) => part !== 'sync')
            .join('');
          disk.crash({ keepUnsynced: () => keep });
          expect(await content()).toBe(whole.slice(0, Math.min(durable.length + keep, whole.length)));
        },
      ),
    );
  });
});
