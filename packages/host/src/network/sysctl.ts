import { readFile, writeFile } from 'node:fs/promises';
import { messageOf, OakestraError } from '@oakestra/contracts';

const ROOT = '/proc/sys';

/** The value of a kernel setting (`net/ipv4/ip_forward`), or undefined when this kernel does not have it. */
export async function readSysctl(name: string): Promise<string | undefined> {
  try {
    return (await readFile(`${ROOT}/${name}`, 'utf8')).trim();
  } catch {
    return undefined;
  }
}

/**
 * Sets a kernel setting of our network namespace. Fails with `sysctl-refused`; `reason` says in the message what
 * will not work.
 */
export async function writeSysctl(name: string, value: string, reason: string): Promise<void> {
  try {
    await writeFile(`${ROOT}/${name}`, value);
  } catch (cause) {
    const setting = `${name.replaceAll('/', '.')} = ${value}`;
    throw new OakestraError(
      'forbidden',
      'sysctl-refused',
      `the kernel setting ${setting} cannot be set (${messageOf(cause)}); it is needed because ${reason}. ` +
        'Run as root, and in a container with a writable /proc/sys.',
      { cause, details: { name, value } },
    );
  }
}
