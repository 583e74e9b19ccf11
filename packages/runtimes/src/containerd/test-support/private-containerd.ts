import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestImage } from './test-image.ts';

const run = promisify(execFile);

/** A containerd that belongs to one test file: its own socket, files and control groups. */
export interface PrivateContainerd {
  readonly directory: string;
  readonly socketPath: string;
  readonly namespace: string;
  readonly cgroupParent: string;
  /** Runs `ctr` against it, for what the test looks at from outside. */
  ctr(...args: readonly string[]): Promise<string>;
  importImage(image: TestImage): Promise<void>;
  /** SIGKILL, as a crash; what runs goes on. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Everything of this containerd on the host that should not outlive its instances. */
  leftovers(): Promise<readonly string[]>;
  /** Ends all that was started and removes all files; also after a failure. */
  dispose(): Promise<void>;
}

export async function startPrivateContainerd(): Promise<PrivateContainerd> {
  // Short, because the path of a Unix socket may not be long.
  const directory = await mkdtemp('/tmp/oak-ctd-');
  // runc keeps its state by namespace in one place for all containerds of the host.
  const namespace = `oakestra-test-${randomBytes(4).toString('hex')}`;
  const runcState = join('/run/containerd/runc', namespace);
  const cgroupParent = `/${namespace}`;
  const socketPath = join(directory, 'containerd.sock');
  const configPath = join(directory, 'config.toml');
  let daemon: ChildProcess | undefined;

  await mkdir(join(directory, 'root'));
  await writeFile(
    configPath,
    [
      'version = 2',
      `root = "${join(directory, 'root')}"`,
      `state = "${join(directory, 'state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
      '[grpc]',
      `  address = "${socketPath}"`,
    ].join('\n'),
  );

  const start = async (): Promise<void> => {
    const log = await open(join(directory, 'containerd.log'), 'a');
    daemon = spawn('containerd', ['--config', configPath], { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    await answering(socketPath, daemon);
  };
  const kill = async (): Promise<void> => {
    const ending = daemon;
    daemon = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill('SIGKILL');
    await exited;
  };
  const ctr = async (...args: readonly string[]): Promise<string> =>
    (await run('ctr', ['--address', socketPath, '--namespace', namespace, ...args])).stdout;

  const leftovers = async (): Promise<readonly string[]> => [
    ...(await lines(ctr('containers', 'list', '--quiet'))).map((id) => `container ${id}`),
    ...(await lines(ctr('tasks', 'list', '--quiet'))).map((id) => `task ${id}`),
    ...(await lines(ctr('leases', 'list', '--quiet'))).map((id) => `lease ${id}`),
    ...(await lines(ctr('snapshots', 'list')))
      .slice(1)
      .filter((line) => !line.includes('Committed'))
      .map((line) => `snapshot ${line}`),
    ...(await cgroupsBelow(cgroupParent)).map((path) => `cgroup ${path}`),
    ...(await mountsBelow(directory)).map((path) => `mount ${path}`),
    ...(await shimsOf(socketPath)).map((pid) => `shim ${pid}`),
    ...(await readdir(runcState).catch(() => [])).map((id) => `runc ${id}`),
  ];

  const dispose = async (): Promise<void> => {
    for (const pid of await shimsOf(socketPath)) await killTree(pid);
    await kill();
    for (const path of (await mountsBelow(directory)).reverse()) {
      await run('umount', ['-l', path]).catch(() => undefined);
    }
    for (const path of await cgroupsBelow(cgroupParent)) await removeDirectory(path);
    for (const root of await cgroupRoots()) await removeDirectory(join(root, cgroupParent));
    for (const path of [directory, runcState]) await rm(path, { recursive: true, force: true });
  };

  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    directory,
    socketPath,
    namespace,
    cgroupParent,
    ctr,
    kill,
    start,
    leftovers,
    dispose,
    async importImage(image) {
      const path = join(directory, `${randomBytes(4).toString('hex')}.tar`);
      await writeFile(path, image.archive);
      await ctr('images', 'import', path);
      await rm(path);
    },
  };
}

async function answering(socketPath: string, daemon: ChildProcess): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (performance.now() < untilMs) {
    if (daemon.exitCode !== null) throw new Error(`containerd ended with ${daemon.exitCode}`);
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = createConnection(socketPath, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`containerd does not answer on ${socketPath}`);
}

async function lines(text: Promise<string>): Promise<readonly string[]> {
  return (await text).split('\n').filter((line) => line.trim() !== '');
}

async function cgroupRoots(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return mounts.flatMap(([, target, type]) => (type?.startsWith('cgroup') && target ? [target] : []));
}

async function cgroupsBelow(parent: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const root of await cgroupRoots()) {
    const directory = join(root, parent);
    if (!existsSync(directory)) continue;
    const entries = await readdir(directory, { withFileTypes: true });
    found.push(...entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name)));
  }
  return found;
}

async function mountsBelow(directory: string): Promise<string[]> {
  const text = await readFile('/proc/self/mounts', 'utf8');
  return text.split('\n').flatMap((line) => {
    const target = line.split(' ')[1];
    return target?.startsWith(`${directory}/`) ? [target] : [];
  });
}

/** Process ids of the shims that serve this containerd. */
export async function shimsOf(socketPath: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return words[0]?.endsWith('containerd-shim-runc-v2') && words.includes(socketPath) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** A shim and the containers that are its children. */
async function killTree(pid: number): Promise<void> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const target of [...text.trim().split(' ').map(Number), pid]) {
    if (target > 0) {
      try {
        process.kill(target, 'SIGKILL');
      } catch {
        // Already gone.
      }
    }
  }
}

async function removeDirectory(path: string): Promise<void> {
  await run('rmdir', [path]).catch(() => undefined);
}
