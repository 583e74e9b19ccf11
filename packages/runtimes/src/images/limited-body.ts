/** More came than was agreed. */
export class TooLargeError extends Error {
  readonly limitBytes: number;

  constructor(limitBytes: number) {
    super(`more than ${limitBytes} bytes`);
    this.limitBytes = limitBytes;
  }
}

/** Collects a body; stops with a {@link TooLargeError} before more than `limitBytes` are held. */
export async function readLimited(chunks: AsyncIterable<Buffer>, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limitBytes) throw new TooLargeError(limitBytes);
    parts.push(chunk);
  }
  return Buffer.concat(parts, length);
}
