import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownOwnerId } from './owner.ts';

/** How the names of all scratch folders begin; the owner's id follows. */
export const SCRATCH_PREFIX = 'otb-';

/** A new folder for temporary files; short, because sockets in it have short names by law of the kernel. */
export async function makeScratchDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), `${SCRATCH_PREFIX}${ownOwnerId()}-`));
}
