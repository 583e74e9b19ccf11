import { messageOf, OakestraError } from '@oakestra/contracts';
import { imageError } from '../../images/image-errors.ts';

/** Turns a failure of containerd into one that says what a pull was doing; others pass unchanged. */
export function pullFailure(doing: string, thrown: unknown): unknown {
  const text = messageOf(thrown);
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    return imageError(
      'disk-full',
      `The disk of this host is full: ${doing} failed. Free space or remove unused images`,
      { cause: thrown },
    );
  }
  if (thrown instanceof OakestraError && !thrown.code.startsWith('containerd-')) return thrown;
  if (!(thrown instanceof OakestraError)) return thrown;
  if (/archive\/tar|invalid tar|gzip: invalid|zlib|zstd|magic number|unexpected EOF/i.test(text)) {
    return imageError(
      'image-invalid',
      `The image is damaged, a layer cannot be unpacked (${text}). Push it again`,
      { cause: thrown },
    );
  }
  return imageError('image-pull-failed', `containerd failed at ${doing}: ${text}`, { cause: thrown });
}
