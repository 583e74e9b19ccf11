import { chmod, chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEFAULT_FILE_MODE,
  OakestraError,
  type SealedReference,
  type ServiceDocument,
  sealedReferencesOf,
} from '@oakestra/contracts';
import type { ValueFiles } from './value-files.ts';

/** What an instance is given beside its document. */
export interface GivenValues {
  /** `NAME=value`. */
  readonly environment: readonly string[];
  readonly files: readonly { readonly hostPath: string; readonly path: string }[];
}

/** Values in the form in which instances see them: variables, and files in memory that are mounted into them. */
export interface ShownValues {
  /** Rejects `value-missing`, `value-no-variable`. */
  show(document: ServiceDocument, runtimeId: string): Promise<GivenValues>;
  /** Its container is gone. Idempotent. */
  hide(runtimeId: string): Promise<void>;
  /** What instances left behind that are gone: all but these. */
  sweep(known: ReadonlySet<string>): Promise<void>;
}

const NOTHING: GivenValues = { environment: [], files: [] };
/** The kernel takes no longer one (MAX_ARG_STRLEN). */
const LONGEST_VARIABLE = 128 * 1024 - 1;

export function createShownValues(options: {
  readonly values: Pick<ValueFiles, 'open'>;
  /** On the host; nothing else is in it. */
  readonly directory: string;
  /** Called before the first file. */
  readonly ensureDirectory: (path: string) => Promise<void>;
}): ShownValues {
  const { values, directory } = options;

  const fileOf = async (reference: SealedReference, hostPath: string): Promise<void> => {
    const content = (await values.open(reference)).reveal();
    await writeFile(hostPath, content, { mode: 0o600, flag: 'wx' });
    const [uid = 0, gid = 0] = (reference.owner ?? '0:0').split(':').map(Number);
    if (uid !== 0 || gid !== 0) await chown(hostPath, uid, gid);
    await chmod(hostPath, Number.parseInt(reference.mode ?? DEFAULT_FILE_MODE, 8));
  };

  return {
    async show(document, runtimeId) {
      const references = sealedReferencesOf(document);
      if (references.length === 0) return NOTHING;
      const environment: string[] = [];
      const files: { hostPath: string; path: string }[] = [];
      const folder = join(directory, runtimeId);
      for (const [index, reference] of references.entries()) {
        if (reference.file === undefined) {
          environment.push(variableOf(reference, (await values.open(reference)).reveal()));
          continue;
        }
        if (files.length === 0) {
          await options.ensureDirectory(directory);
          await mkdir(folder, { mode: 0o700 });
        }
        const hostPath = join(folder, String(index));
        await fileOf(reference, hostPath);
        files.push({ hostPath, path: reference.file });
      }
      return { environment, files };
    },
    hide: (runtimeId) => rm(join(directory, runtimeId), { recursive: true, force: true }),
    async sweep(known) {
      const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      });
      for (const name of names) {
        if (!known.has(name)) await rm(join(directory, name), { recursive: true, force: true });
      }
    },
  };
}

function variableOf(reference: SealedReference, content: Uint8Array): string {
  const text = textOf(content);
  if (text === undefined) throw noVariable(reference, 'is no text');
  const entry = `${reference.environment}=${text}`;
  if (Buffer.byteLength(entry) > LONGEST_VARIABLE) throw noVariable(reference, 'is too long');
  return entry;
}

function textOf(content: Uint8Array): string | undefined {
  if (content.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

function noVariable({ kind, name, version, environment }: SealedReference, why: string): OakestraError {
  const message = `The ${kind} "${name}" (version ${version}) ${why}: it cannot be the variable ${environment}; take a file`;
  return new OakestraError('invalid', 'value-no-variable', message);
}
