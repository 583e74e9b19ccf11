import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { FileTree, TreeEntry } from './file-tree.ts';

const execute = promisify(execFile);

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The path of an installed program; fails with the name of the package to install. */
export function installedProgram(program: string, debianPackage: string): string {
  const found = FOLDERS.map((folder) => join(folder, program)).find((path) => existsSync(path));
  if (found === undefined) {
    throw new OakestraError(
      'unavailable',
      'package-missing',
      `The program ${program} is not installed; install the Debian package ${debianPackage}.`,
    );
  }
  return found;
}

/** The files that the dynamic linker would load, from the output of `ldd`. */
export function parseLdd(output: string): string[] {
  return output.split('\n').flatMap((line) => {
    const resolved = /=>\s+(\/\S+)\s+\(0x/.exec(line) ?? /^\s*(\/\S+)\s+\(0x/.exec(line);
    return resolved?.[1] === undefined ? [] : [resolved[1]];
  });
}

/** The shared libraries of a program (with the dynamic linker), under the paths where it looks for them. */
export async function sharedLibraries(program: string): Promise<FileTree> {
  let output: string;
  try {
    ({ stdout: output } = await execute('ldd', [program], { timeout: 10_000 }));
  } catch (cause) {
    throw new OakestraError(
      'internal',
      'image-not-built',
      `The libraries of ${program} could not be listed: ${messageOf(cause)}`,
      { cause },
    );
  }
  return Object.fromEntries(parseLdd(output).map((path) => [path.slice(1), copyOf(path)]));
}

/** A tree with the given files of this machine under their own paths; links are followed. */
export function filesOfThisMachine(paths: readonly string[]): FileTree {
  return Object.fromEntries(paths.map((path) => [path.slice(1), copyOf(path)]));
}

function copyOf(path: string): TreeEntry {
  return { kind: 'copy', source: realpathSync(path), mode: 0o755 };
}

/** Root file system of BusyBox with a link for each of its commands, as `busybox --install` would make them. */
export async function busyboxTree(): Promise<FileTree> {
  const busybox = installedProgram('busybox', 'busybox-static');
  const { stdout } = await execute(busybox, ['--list'], { timeout: 10_000 });
  const commands = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  return {
    ...baseTree(),
    'bin/busybox': copyOf(busybox),
    ...Object.fromEntries(
      commands.map((name) => [`bin/${name}`, { kind: 'link', target: 'busybox' } as const]),
    ),
  };
}

/** What every root file system has, whatever runs in it. */
export function baseTree(): FileTree {
  return {
    'etc/passwd': {
      kind: 'file',
      content:
        'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
    },
    'etc/group': { kind: 'file', content: 'root:x:0:\nweb:x:1000:\nnogroup:x:65534:\n' },
    'etc/nsswitch.conf': { kind: 'file', content: 'passwd: files\ngroup: files\nhosts: files dns\n' },
    root: { kind: 'directory', mode: 0o700 },
    run: { kind: 'directory' },
    tmp: { kind: 'directory', mode: 0o1777 },
    'var/tmp': { kind: 'directory', mode: 0o1777 },
  };
}
