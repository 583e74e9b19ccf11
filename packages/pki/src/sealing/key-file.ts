import { randomBytes } from 'node:crypto';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import type { Disk } from '@oakestra/daemon';
import { SEALING_KEY_BYTES } from './sealer.ts';

/**
 * The keys of a file of mode 0600, one base64 line of 32 bytes each, the one that seals first. Without the file a key
 * is made and kept there. Rejects `sealing-key-invalid`, and what the disk says.
 */
export async function openSealingKeys(disk: Disk, path: string): Promise<readonly Sensitive<Uint8Array>[]> {
  const stored = await disk.readFile(path);
  if (stored !== undefined) return keysFrom(Buffer.from(stored).toString(), path);
  const key = randomBytes(SEALING_KEY_BYTES);
  await disk.replaceFile(path, Buffer.from(`${key.toString('base64')}\n`), 0o600);
  return [new Sensitive(key)];
}

function keysFrom(text: string, path: string): readonly Sensitive<Uint8Array>[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const keys = lines.map((line) => Buffer.from(line.trim(), 'base64'));
  if (keys.length > 0 && keys.every((key) => key.length === SEALING_KEY_BYTES)) {
    return keys.map((key) => new Sensitive<Uint8Array>(key));
  }
  const message =
    `${path} must hold keys of ${SEALING_KEY_BYTES} bytes in base64, one a line (openssl rand -base64 ` +
    `${SEALING_KEY_BYTES}), the one to seal with first. Put the right file there; without one, a new key is made.`;
  throw new OakestraError('invalid', 'sealing-key-invalid', message);
}
