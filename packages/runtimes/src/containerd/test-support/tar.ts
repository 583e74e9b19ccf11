/** One entry of an archive made by a test. */
export interface TarEntry {
  readonly path: string;
  readonly mode?: number;
  readonly content?: Uint8Array | string;
  /** Makes the entry a symbolic link. */
  readonly linkTo?: string;
  readonly isDirectory?: boolean;
}

const blockBytes = 512;

/** An uncompressed ustar archive; paths of up to 100 bytes. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    const padding = Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes);
    return [headerOf(entry, content.length), content, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function headerOf(entry: TarEntry, size: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, offset: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'ascii');
  header.write(entry.path, 0, 'utf8');
  octal(entry.mode ?? (entry.isDirectory ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.write(entry.linkTo !== undefined ? '2' : entry.isDirectory ? '5' : '0', 156, 'ascii');
  header.write(entry.linkTo ?? '', 157, 'utf8');
  header.write('ustar\x0000', 257, 'binary');
  header.fill(' ', 148, 156);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return header;
}
