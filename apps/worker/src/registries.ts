import { readFile } from 'node:fs/promises';
import { messageOf, OakestraError, Sensitive } from '@oakestra/contracts';
import type { ImagePullerOptions } from '@oakestra/runtimes/pull';
import type { WorkerSettings } from './settings.ts';

type Registries = NonNullable<ImagePullerOptions['registries']>;

/** The registries of the settings with their files read and their passwords wrapped. */
export async function readRegistries(settings: WorkerSettings['registries']): Promise<Registries> {
  const registries: Record<string, Registries[string]> = {};
  for (const [host, given] of Object.entries(settings)) {
    const { username, password, plainHttp, mirrors, caFile } = given;
    if ((username === undefined) !== (password === undefined)) {
      const text = `registries.${host}: username and password go together; one of them is missing`;
      throw new OakestraError('invalid', 'registry-setting-invalid', text);
    }
    registries[host] = {
      ...(plainHttp === undefined ? {} : { plainHttp }),
      ...(mirrors === undefined ? {} : { mirrors }),
      ...(caFile === undefined ? {} : { caPem: await readCa(host, caFile) }),
      ...(username === undefined || password === undefined
        ? {}
        : { credentials: { username, password: new Sensitive(password) } }),
    };
  }
  return registries;
}

async function readCa(host: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const text = `registries.${host}.caFile: ${path} cannot be read: ${messageOf(error)}`;
    throw new OakestraError('invalid', 'registry-setting-invalid', text, { cause: error });
  }
}
