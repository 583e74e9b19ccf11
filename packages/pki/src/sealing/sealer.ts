import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { OakestraError, Sensitive } from '@oakestra/contracts';

/** Encrypts what must not be readable at rest (AES-256-GCM). */
export interface Sealer {
  /** Of the key that seals from now on. */
  readonly keyId: string;
  /**
   * `<key id>.<base64url>`. `purpose` says what the content is and belongs to; it is not stored, and without it, or
   * under another one, nothing opens.
   */
  seal(content: Uint8Array, purpose: string): string;
  /** Throws `sealing-key-missing` and `seal-broken`, both without any of the content. */
  open(sealed: string, purpose: string): Sensitive<Uint8Array>;
  /** Is it sealed with a key that is here? */
  canOpen(sealed: string): boolean;
  /** A keyed hash: says whether two texts are equal, and cannot be found by guessing the text. */
  fingerprint(text: string): string;
}

export const SEALING_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The first key seals; all of them open, so that a key can be replaced while something is sealed with it. */
export function createSealer(keys: readonly Sensitive<Uint8Array>[]): Sealer {
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]));
  const [current] = keys;
  if (current === undefined) throw new Error('a sealer needs a key');
  const keyId = keyIdOf(current);
  return {
    keyId,
    seal(content, purpose) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.reveal(), nonce);
      cipher.setAAD(Buffer.from(purpose));
      const parts = [nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()];
      return `${keyId}.${Buffer.concat(parts).toString('base64url')}`;
    },
    open(sealed, purpose) {
      const id = sealed.slice(0, sealed.indexOf('.'));
      const key = byId.get(id);
      if (key === undefined) throw keyMissing(id);
      const bytes = Buffer.from(sealed.slice(id.length + 1), 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key.reveal(), bytes.subarray(0, NONCE_BYTES));
        decipher.setAAD(Buffer.from(purpose));
        decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
        const content = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
        return new Sensitive(Buffer.concat([content, decipher.final()]));
      } catch (cause) {
        const message = 'Sealed content cannot be opened: it is damaged, or was put in the place of another.';
        throw new OakestraError('internal', 'seal-broken', message, { cause });
      }
    },
    canOpen: (sealed) => byId.has(sealed.slice(0, sealed.indexOf('.'))),
    fingerprint: (text) => createHmac('sha256', current.reveal()).update(text).digest('base64url'),
  };
}

/** Tells keys apart without telling anything of them. */
function keyIdOf(key: Sensitive<Uint8Array>): string {
  return createHash('sha256').update('oakestra sealing key').update(key.reveal()).digest('hex').slice(0, 16);
}

function keyMissing(id: string): OakestraError {
  const message = `The key ${id} is not here; put the key file that has it in its place and start again.`;
  return new OakestraError('unavailable', 'sealing-key-missing', message);
}
