import { join } from 'node:path';
import {
  OakestraError,
  type SealedReference,
  type SealedValue,
  type Sensitive,
  type ServiceDocument,
  sealedVersionKey,
  sealedVersionsOf,
} from '@oakestra/contracts';
import { createSerially, type Disk } from '@oakestra/daemon';
import type { Sealer } from '@oakestra/pki';

/**
 * What the secrets and configs stand for that instances of this worker refer to: one file for each version, encrypted,
 * so that an instance starts also while the cluster is away. The journal has only the references.
 */
export interface ValueFiles {
  /** Are all values here that the document refers to? */
  has(document: ServiceDocument): boolean;
  /** Stores them; they stay at least until the result is called. */
  keep(values: readonly SealedValue[]): Promise<() => void>;
  /** Rejects `value-missing`. */
  open(reference: SealedReference): Promise<Sensitive<Uint8Array>>;
  /** Erases what none of these documents refers to. */
  retain(documents: () => Iterable<ServiceDocument>): Promise<void>;
}

const NAME = /^[0-9a-f]{24}\.\d+$/;
const KEY_FILE = 'keys';
const purposeOf = (key: string): string => `worker ${key}`;

/** Nothing is created before there is something to keep. */
export async function openValueFiles(options: {
  readonly disk: Disk;
  /** Below the state folder. */
  readonly directory: string;
  /** Of the keys in this file. */
  readonly openSealer: (keyFile: string) => Promise<Sealer>;
}): Promise<ValueFiles> {
  const { disk, directory } = options;
  const stored = new Set((await disk.listFiles(directory)).filter((name) => NAME.test(name)));
  const held = new Map<string, number>();
  const serially = createSerially();
  let opening: Promise<Sealer> | undefined;

  const sealer = (): Promise<Sealer> => {
    opening ??= disk
      .ensureDirectory(directory)
      .then(() => options.openSealer(join(directory, KEY_FILE)))
      .catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
    return opening;
  };

  const hold = (keys: readonly string[], change: 1 | -1): void => {
    for (const key of keys) {
      const count = (held.get(key) ?? 0) + change;
      if (count === 0) held.delete(key);
      else held.set(key, count);
    }
  };

  const write = async (values: readonly SealedValue[]): Promise<void> => {
    const { seal } = await sealer();
    for (const value of values) {
      const key = sealedVersionKey(value);
      if (stored.has(key)) continue;
      const text = seal(Buffer.from(value.base64, 'base64'), purposeOf(key));
      await disk.replaceFile(join(directory, key), Buffer.from(text), 0o600);
      stored.add(key);
    }
  };

  const erase = async (documents: () => Iterable<ServiceDocument>): Promise<void> => {
    const wanted = new Set<string>(held.keys());
    for (const document of documents()) for (const key of sealedVersionsOf(document)) wanted.add(key);
    for (const key of [...stored]) {
      if (wanted.has(key)) continue;
      stored.delete(key);
      await disk.removeFile(join(directory, key));
    }
  };

  return {
    has: (document) => [...sealedVersionsOf(document)].every((key) => stored.has(key)),

    async keep(values) {
      const keys = values.map(sealedVersionKey);
      hold(keys, 1);
      try {
        await serially('', () => write(values));
      } catch (error) {
        hold(keys, -1);
        throw error;
      }
      return () => hold(keys, -1);
    },

    async open(reference) {
      const key = sealedVersionKey(reference);
      const bytes = stored.has(key) ? await disk.readFile(join(directory, key)) : undefined;
      try {
        if (bytes === undefined) throw valueMissing(reference);
        return (await sealer()).open(Buffer.from(bytes).toString(), purposeOf(key));
      } catch (error) {
        // What cannot be read is asked for again.
        stored.delete(key);
        throw error;
      }
    },

    async retain(documents) {
      if (stored.size > 0) await serially('', () => erase(documents));
    },
  };
}

function valueMissing({ kind, name, version }: SealedReference): OakestraError {
  const which = version === null ? '' : ` (version ${version})`;
  const message = `The ${kind} "${name}"${which} is not here yet; it was asked for`;
  return new OakestraError('unavailable', 'value-missing', message);
}
