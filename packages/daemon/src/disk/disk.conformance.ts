import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';

export interface DiskUnderTest {
  readonly disk: Disk;
  /** An empty directory. */
  readonly directory: string;
  cleanUp(): void;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined) =>
  content === undefined ? undefined : new TextDecoder().decode(content);

/** What every implementation of the disk port promises. */
export function diskConformance(name: string, create: () => Promise<DiskUnderTest>): void {
  describe(`${name} keeps the promises of the disk port`, () => {
    let subject: DiskUnderTest;
    let disk: Disk;
    let path: string;
    beforeEach(async () => {
      subject = await create();
      disk = subject.disk;
      path = `${subject.directory}/journal`;
    });
    afterEach(() => subject.cleanUp());

    it('appends, also after the file was opened again', async () => {
      const first = await disk.openAppendFile(path);
      expect(first.size).toBe(0);
      expect(text(await disk.readFile(path))).toBe('');
      await first.append(bytes('one '));
      await first.append(bytes('two '));
      await first.sync();
      expect(first.size).toBe(8);
      await first.close();
      const second = await disk.openAppendFile(path);
      expect(second.size).toBe(8);
      await second.append(bytes('three'));
      expect(text(await disk.readFile(path))).toBe('one two three');
      await second.close();
    });

    it('keeps the order of calls that nobody awaited in between', async () => {
      const file = await disk.openAppendFile(path);
      const parts = Array.from({ length: 50 }, (_, index) => `${index};`);
      await Promise.all([...parts.map((part) => file.append(bytes(part))), file.sync()]);
      expect(text(await disk.readFile(path))).toBe(parts.join(''));
      await file.close();
    });

    it('does not look at the bytes after append has returned them', async () => {
      const file = await disk.openAppendFile(path);
      const buffer = bytes('kept');
      await file.append(buffer);
      buffer.fill(0);
      expect(text(await disk.readFile(path))).toBe('kept');
      await file.close();
    });

    it('cuts the end off, and goes on from there', async () => {
      const file = await disk.openAppendFile(path);
      await file.append(bytes('whole|torn'));
      await file.truncate(6);
      expect(file.size).toBe(6);
      await file.append(bytes('next'));
      await file.sync();
      expect(text(await disk.readFile(path))).toBe('whole|next');
      await expect(file.truncate(11)).rejects.toThrow(RangeError);
      await expect(file.truncate(-1)).rejects.toThrow(RangeError);
      expect(file.size).toBe(10);
      await file.close();
    });

    it('refuses work on a closed file; closing twice is fine', async () => {
      const file = await disk.openAppendFile(path);
      await file.close();
      await file.close();
      await expect(file.append(bytes('x'))).rejects.toMatchObject({ code: 'disk-closed' });
      await expect(file.sync()).rejects.toMatchObject({ code: 'disk-closed' });
      await expect(file.truncate(0)).rejects.toMatchObject({ code: 'disk-closed' });
    });

    it('replaces a file as a whole and leaves nothing else', async () => {
      await disk.replaceFile(path, bytes('a long old content'));
      await disk.replaceFile(path, bytes('new'));
      expect(text(await disk.readFile(path))).toBe('new');
      expect(await disk.listFiles(subject.directory)).toEqual(['journal']);
    });

    it('lists and removes files; what is missing is no failure', async () => {
      expect(await disk.readFile(path)).toBeUndefined();
      await disk.removeFile(path);
      expect(await disk.listFiles(`${subject.directory}/missing`)).toEqual([]);
      await disk.replaceFile(`${subject.directory}/b`, bytes('b'));
      await disk.replaceFile(`${subject.directory}/a`, bytes('a'));
      await disk.ensureDirectory(`${subject.directory}/nested`);
      expect(await disk.listFiles(subject.directory)).toEqual(['a', 'b']);
      await disk.removeFile(`${subject.directory}/a`);
      expect(await disk.listFiles(subject.directory)).toEqual(['b']);
    });

    it('creates directories with their parents, again if asked', async () => {
      const nested = `${subject.directory}/a/b/c`;
      await disk.ensureDirectory(nested);
      await disk.ensureDirectory(nested);
      await disk.replaceFile(`${nested}/file`, bytes('x'));
      expect(await disk.listFiles(nested)).toEqual(['file']);
    });

    it('names the path when the directory is missing', async () => {
      const lost = `${subject.directory}/missing/file`;
      for (const failing of [() => disk.openAppendFile(lost), () => disk.replaceFile(lost, bytes('x'))]) {
        await expect(failing()).rejects.toMatchObject({ code: 'disk-failed', path: lost });
      }
    });
  });
}
