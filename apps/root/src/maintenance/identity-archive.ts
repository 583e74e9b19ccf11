import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative } from 'node:path';
import { messageOf, OakestraError } from '@oakestra/contracts';
import * as z from 'zod';

/** Folders and files of the state folder that make this root the one that clusters and tokens know. */
const PARTS = ['authority', 'tls', 'token-key.pem', 'token-keys-retired.json', 'sealing-keys'];
const FORMAT = 'oakestra-root-identity/1';

const archiveSchema = z.object({
  format: z.literal(FORMAT),
  /** Base64 by path below the state folder. */
  files: z.record(z.string(), z.base64()),
});

/**
 * Writes the authority and the keys of a root to one file of mode 0600, apart from the data: whoever has it can be
 * this root. Rejects `identity-missing`, and what the file system says; overwrites nothing.
 */
export async function exportIdentity(stateDirectory: string, path: string): Promise<void> {
  const files: Record<string, string> = {};
  for (const part of PARTS) {
    for (const file of await filesBelow(join(stateDirectory, part))) {
      files[relative(stateDirectory, file)] = (await readFile(file)).toString('base64');
    }
  }
  if (Object.keys(files).length === 0) {
    const message = `There is no identity of a root in ${stateDirectory}: name its folder with --state-directory.`;
    throw new OakestraError('not-found', 'identity-missing', message);
  }
  await writeFile(path, JSON.stringify({ format: FORMAT, files }), { mode: 0o600, flag: 'wx' });
}

/**
 * Puts the identity into a state folder that has none, before the first start of a root there. Rejects
 * `identity-unusable`, `identity-present`.
 */
export async function importIdentity(path: string, stateDirectory: string): Promise<void> {
  const { files } = await readArchive(path);
  for (const part of PARTS) {
    if ((await filesBelow(join(stateDirectory, part))).length === 0) continue;
    const message = `${stateDirectory} has an identity already (${part}); move it away first.`;
    throw new OakestraError('conflict', 'identity-present', message);
  }
  for (const [name, content] of Object.entries(files)) {
    const target = join(stateDirectory, name);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await writeFile(target, Buffer.from(content, 'base64'), { mode: 0o600, flag: 'wx' });
  }
}

async function readArchive(path: string): Promise<z.infer<typeof archiveSchema>> {
  try {
    const archive = archiveSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    for (const name of Object.keys(archive.files)) requireBelow(name);
    return archive;
  } catch (cause) {
    const message = `${path} is no exported identity: ${messageOf(cause)}`;
    throw new OakestraError('invalid', 'identity-unusable', message, { cause });
  }
}

function requireBelow(name: string): void {
  const [first = ''] = name.split('/');
  if (isAbsolute(name) || normalize(name) !== name || !PARTS.includes(first)) {
    throw new Error(`it names the file ${name}, which is no part of an identity`);
  }
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return undefined;
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  if (entries === undefined) return [path];
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
