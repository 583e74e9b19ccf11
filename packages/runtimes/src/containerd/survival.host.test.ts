import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '@oakestra/daemon';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../conformance/world.ts';
import { rotateLog, tailLog } from '../log-rotation.ts';
import type { InstanceSpec, Runtime, RuntimeEvent } from '../runtime.ts';
import { readCgroupMounts } from './cgroup-stats.ts';
import { type ContainerdConnection, createContainerdConnection } from './containerd-connection.ts';
import { createContainerdRuntime } from './containerd-runtime.ts';
import { ContainersDefinition } from './gen/containerd/containers.gen.ts';
import { createSnapshotterChoice } from './snapshotter.ts';
import { type ContainerdHost, startContainerdHost } from './test-support/containerd-host.ts';
import { shimsOf } from './test-support/private-containerd.ts';
import { quietLogger } from './test-support/quiet-logger.ts';

const run = promisify(execFile);

let host: ContainerdHost;
let runtime: Runtime;
let events: RuntimeEvent[];

beforeAll(async () => {
  host = await startContainerdHost();
  runtime = host.openRuntime();
  events = [];
  runtime.subscribe((event) => events.push(event));
  await availableTimes(1);
});
afterEach(async () => {
  for (const { id } of await runtime.list()) await runtime.remove(id);
  expect(await host.containerd.leftovers()).toEqual([]);
});
afterAll(async () => {
  await runtime?.close();
  await host?.containerd.dispose();
});

const availableTimes = (times: number) =>
  eventually('the runtime to answer', () =>
    events.filter(({ kind }) => kind === 'available').length >= times ? true : undefined,
  );
const exitEvent = (id: string) =>
  eventually(`the end of ${id}`, () => events.find((event) => event.kind === 'exited' && event.id === id));

let count = 0;
function specOf(script: string, changes: Partial<InstanceSpec> = {}): InstanceSpec {
  count += 1;
  const id = `shop.live.s${count}.live.instance.0`;
  return {
    id,
    image: { reference: 'tiny:1' },
    command: ['/bin/sh', '-c', script],
    environment: [],
    memoryMib: 64,
    cpuMillis: 0,
    hostname: 'instance-0',
    logPath: host.logPathOf(id),
    labels: {},
    ...changes,
  };
}

async function started(spec: InstanceSpec, by: Runtime = runtime): Promise<number> {
  await by.create(spec, host.image.prepared);
  return (await by.start(spec.id)).pid;
}

it('survives a crash of containerd: what runs goes on, what ended meanwhile is known', async () => {
  const lasting = specOf('trap "exit 0" TERM; while true; do sleep 0.02; done');
  const ending = specOf('while [ ! -e /tmp/go ]; do sleep 0.02; done; exit 5');
  const hungry = specOf(
    'while [ ! -e /tmp/go ]; do sleep 0.02; done; exec dd if=/dev/zero of=/dev/null bs=200M count=1',
  );
  const pid = await started(lasting);
  const others = [await started(ending), await started(hungry)];
  const availableBefore = events.filter(({ kind }) => kind === 'available').length;

  await host.containerd.kill();
  await eventually('the loss to be noticed', () => events.find(({ kind }) => kind === 'unavailable'));
  await expect(runtime.list()).rejects.toMatchObject({ code: 'runtime-unavailable', kind: 'unavailable' });
  for (const other of others) await run('touch', [`/proc/${other}/root/tmp/go`]);
  await eventually('their end', async () =>
    (await Promise.all(others.map((other) => hasEnded(other)))).includes(false) ? undefined : true,
  );
  await host.containerd.start();
  await availableTimes(availableBefore + 1);

  const states = new Map((await runtime.list()).map(({ id, state }) => [id, state]));
  expect(states.get(lasting.id)).toEqual({ kind: 'running', pid });
  expect(states.get(ending.id)).toMatchObject({ kind: 'exited', exit: { code: 5, isOutOfMemory: false } });
  expect(states.get(hungry.id)).toMatchObject({ kind: 'exited', exit: { code: 137, isOutOfMemory: true } });
  await runtime.stop(lasting.id, { graceMs: 20_000 });
  expect(await exitEvent(lasting.id)).toMatchObject({ exit: { code: 0 } });
});

it('waits through a crash of containerd while it stops an instance', async () => {
  const spec = specOf('trap "sleep 1; exit 0" TERM; while true; do sleep 0.02; done');
  await started(spec);
  const stopped = runtime.stop(spec.id, { graceMs: 20_000 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await host.containerd.kill();
  await host.containerd.start();
  await stopped;
  const [listed] = await runtime.list();
  expect(listed?.state).toMatchObject({ kind: 'exited', exit: { code: 0 } });
});

it('keeps the output of instances while no process of ours is there', async () => {
  const second = host.openRuntime();
  const spec = specOf('while [ ! -e /tmp/go ]; do sleep 0.02; done; echo unattended; sleep 1000');
  const pid = await started(spec, second);
  await second.close();
  await run('touch', [`/proc/${pid}/root/tmp/go`]);
  await eventually('the output', async () =>
    (await host.readLog(spec.logPath)) === 'unattended\n' ? true : undefined,
  );
  expect((await stat(spec.logPath)).mode & 0o777).toBe(0o640);
});

it('rotates the log of a running instance without losing its end', async () => {
  const spec = specOf('i=0; while true; do i=$((i+1)); echo line $i; sleep 0.001; done');
  await started(spec);
  const limits = { maxBytes: 500, files: 3 };
  for (let round = 0; round < 3; round += 1) {
    await eventually('a large log', async () => {
      const rotated = await rotateLog(spec.logPath, limits);
      return rotated ? true : undefined;
    });
  }
  await eventually('new lines', async () => ((await host.readLog(spec.logPath)) === '' ? undefined : true));
  expect(await host.readLog(spec.logPath)).toMatch(/^(line )?\d*\n|^line/);
  expect((await readdir(join(spec.logPath, '..'))).filter((name) => name.startsWith(spec.id)).sort()).toEqual(
    [spec.id, `${spec.id}.1`, `${spec.id}.2`],
  );
  expect(await tailLog(spec.logPath, 200)).toMatch(/^line \d+\n/);
});

it('reports an instance whose shim was killed, and removes it', async () => {
  const spec = specOf('sleep 1000');
  const pid = await started(spec);
  const [shim] = await shimsOf(host.containerd.socketPath);
  process.kill(shim ?? 0, 'SIGKILL');
  await eventually('its loss to be listed', async () =>
    (await runtime.list())[0]?.state.kind === 'exited' ? true : undefined,
  );
  await runtime.remove(spec.id);
  expect(await hasEnded(pid)).toBe(true);
});

it('ends processes that containerd lost sight of', async () => {
  const spec = specOf('sleep 1000');
  await started(spec);
  await host.containerd.ctr('tasks', 'delete', '--force', spec.id);
  const straggler = spawn('sleep', ['1000'], { stdio: 'ignore' });
  const gone = once(straggler, 'exit');
  const mounts = await readCgroupMounts();
  const cgroup = join(
    mounts.byController.get('memory') ?? mounts.unified ?? '',
    host.containerd.cgroupParent,
    spec.id,
  );
  await mkdir(cgroup);
  await writeFile(join(cgroup, 'cgroup.procs'), String(straggler.pid));
  expect((await runtime.list())[0]?.state).toEqual({ kind: 'running', pid: straggler.pid });
  await runtime.remove(spec.id);
  expect((await gone)[1]).toBe('SIGKILL');
});

it('forgets a container last, so that a crash leaves what leads to the rest', async () => {
  const connection = createContainerdConnection(host.containerd);
  const stateDirectory = join(host.containerd.directory, 'started');
  const left: string[][] = [];
  const unary = (async (...call: Parameters<ContainerdConnection['unary']>) => {
    if (call[0].fullName === ContainersDefinition.fullName && call[1] === 'delete') {
      left.push(await readdir(stateDirectory));
    }
    return await connection.unary(...call);
  }) as ContainerdConnection['unary'];
  const watched = host.openRuntime({ connection: { ...connection, unary } });
  try {
    const spec = specOf('sleep 1000');
    await started(spec, watched);
    expect(await readdir(stateDirectory)).toEqual([`${spec.id}.started`]);
    await watched.remove(spec.id);
    expect(left).toEqual([[]]);
  } finally {
    await watched.close();
  }
});

it('knows after a reboot that an instance had been started', async () => {
  const spec = specOf('sleep 1000');
  await started(spec);
  // What a reboot leaves: the container's record, without task.
  await host.containerd.ctr('tasks', 'delete', '--force', spec.id);
  const second = host.openRuntime();
  try {
    const [first] = await second.list();
    expect(first?.state).toMatchObject({ kind: 'exited', exit: { signal: 'SIGKILL' } });
    expect(await second.list()).toEqual([first]);
    await second.create(spec, host.image.prepared);
    expect(await second.start(spec.id)).toEqual({ pid: 0 });
  } finally {
    await second.close();
  }
});

it('attaches to a network namespace that appears between creation and start', async () => {
  const name = `oakt-${randomBytes(4).toString('hex')}`;
  const path = `/run/netns/${name}`;
  const spec = specOf('sleep 1000', { networkNamespacePath: path });
  await runtime.create(spec, host.image.prepared);
  await expect(runtime.start(spec.id)).rejects.toMatchObject({ code: 'host-path-missing' });
  await run('ip', ['netns', 'add', name]);
  try {
    const { pid } = await runtime.start(spec.id);
    const { ino } = await stat(path);
    expect(await readlink(`/proc/${pid}/ns/net`)).toBe(`net:[${ino}]`);
    await runtime.remove(spec.id);
  } finally {
    await run('ip', ['netns', 'delete', name]);
  }
});

it('finds a name for instances whose identifier containerd does not accept', async () => {
  const id = `${'shop'.repeat(8)}.live.${'catalogue'.repeat(4)}--x.live.instance.12`;
  const spec = { ...specOf('sleep 1000'), id };
  const pid = await started(spec);
  expect(await runtime.list()).toEqual([{ id, labels: {}, state: { kind: 'running', pid } }]);
  await runtime.signal(id, 'SIGKILL');
  expect(await exitEvent(id)).toMatchObject({ exit: { code: 137 } });
});

it('gives the disk space of removed instances back', async () => {
  const directories = () =>
    readdir(join(host.containerd.directory, 'root/io.containerd.snapshotter.v1.overlayfs/snapshots'));
  const spec = specOf('dd if=/dev/zero of=/tmp/big bs=1M count=3; sleep 1000');
  await started(spec);
  const diskBytes = await eventually('its size', async () => {
    // An answer is kept for a minute, so each look is one of a new process.
    const fresh = host.openRuntime();
    const stats = await fresh.stats(spec.id).finally(() => fresh.close());
    return stats !== undefined && stats.diskBytes >= 3 * 1024 * 1024 ? stats.diskBytes : undefined;
  });
  expect(diskBytes).toBeLessThan(4 * 1024 * 1024);
  await runtime.remove(spec.id);
  // The two layers of the image are what stays.
  await eventually('the files to go', async () => ((await directories()).length === 2 ? true : undefined));
});

it('shows and removes what somebody else left in our namespace', async () => {
  await host.containerd.ctr('run', '--detach', 'docker.io/library/tiny:1', 'foreign', '/bin/sleep', '1000');
  expect(await runtime.list()).toMatchObject([{ id: 'foreign', state: { kind: 'running' } }]);
  await runtime.remove('foreign');
});

it('leaves nothing, and can go on, whichever call to containerd was the last of a process', async () => {
  for (let calls = 0; ; calls += 1) {
    const spec = specOf('trap "exit 0" TERM; while true; do sleep 0.02; done');
    const mortal = runtimeThatDiesAfter(calls);
    const isDone = await started(spec, mortal).then(
      () => true,
      () => false,
    );
    await mortal.close();
    if (calls % 2 === 0) {
      // A later process repeats the deployment, …
      await started(spec);
      expect((await runtime.list())[0]?.state.kind).toBe('running');
    }
    // … or clears it away.
    await runtime.remove(spec.id);
    expect(await runtime.list()).toEqual([]);
    expect(await host.containerd.leftovers()).toEqual([]);
    if (isDone) {
      expect(calls).toBeGreaterThan(3);
      return;
    }
  }
});

it('finishes a removal that another process began, whichever call was its last', async () => {
  for (let calls = 0; ; calls += 1) {
    const spec = specOf('trap "" TERM; while true; do sleep 0.02; done');
    await started(spec);
    const mortal = runtimeThatDiesAfter(calls);
    const isDone = await mortal.remove(spec.id).then(
      () => true,
      () => false,
    );
    await mortal.close();
    await runtime.remove(spec.id);
    expect(await runtime.list()).toEqual([]);
    expect(await host.containerd.leftovers()).toEqual([]);
    if (isDone) {
      expect(calls).toBeGreaterThan(3);
      return;
    }
  }
});

it('starts from a plain description of an image, as a journal keeps it', async () => {
  const { pinnedReference, digest, stopSignal } = host.image.prepared;
  const asked: string[] = [];
  const second = host.openRuntime({
    prepareImage: async ({ reference }) => {
      asked.push(reference);
      return host.image.prepared;
    },
  });
  const spec = specOf('sleep 1000');
  await second.create(spec, { pinnedReference, digest, stopSignal });
  await second.close();
  expect(asked).toEqual([pinnedReference]);
  expect((await runtime.start(spec.id)).pid).toBeGreaterThan(0);
});

it('starts no more at once than it is told, and says how long the steps took', async () => {
  let atOnce = 0;
  let most = 0;
  const steps = new Set<string>();
  const connection = createContainerdConnection(host.containerd);
  const second = createContainerdRuntime({
    ...commonOptions({
      ...connection,
      unary: async (...call) => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        return connection.unary(...call).finally(() => {
          atOnce -= 1;
        });
      },
    }),
    concurrentStarts: 2,
    onStep: (step, durationMs) => {
      expect(durationMs).toBeGreaterThanOrEqual(0);
      steps.add(step);
    },
  });
  const specs = Array.from({ length: 6 }, () => specOf('sleep 1000'));
  await Promise.all(specs.map((spec) => started(spec, second)));
  expect(most).toBe(2);
  await Promise.all(specs.map(({ id }) => second.remove(id)));
  expect([...steps].sort()).toEqual([
    'cleanup',
    'container',
    'snapshot',
    'task-create',
    'task-delete',
    'task-start',
    'user',
  ]);
  await second.close();
});

it('says where containerd should have answered', async () => {
  const socketPath = join(host.containerd.directory, 'nobody.sock');
  const lonely = createContainerdRuntime({
    ...commonOptions(createContainerdConnection({ socketPath, namespace: 'x' })),
  });
  const heard: RuntimeEvent[] = [];
  lonely.subscribe((event) => heard.push(event));
  const unavailable = await eventually('the loss', () => heard.find(({ kind }) => kind === 'unavailable'));
  expect(unavailable).toMatchObject({ reason: expect.stringContaining(socketPath) });
  await expect(lonely.list()).rejects.toMatchObject({ message: expect.stringContaining(socketPath) });
  await lonely.close();
  await expect(lonely.list()).rejects.toMatchObject({ code: 'runtime-closed' });
});

function commonOptions(connection: ContainerdConnection) {
  return {
    connection,
    snapshotter: createSnapshotterChoice(connection, quietLogger),
    prepareImage: async () => host.image.prepared,
    clock: systemClock(),
    logger: quietLogger,
    stateDirectory: join(host.containerd.directory, 'started'),
    cgroupParent: host.containerd.cgroupParent,
  };
}

/** A process that is killed after so many calls: the last one is still carried out, its answer never arrives. */
function runtimeThatDiesAfter(calls: number): Runtime {
  const connection = createContainerdConnection(host.containerd);
  let left = calls;
  const mortal: ContainerdConnection = {
    ...connection,
    unary: async (...call) => {
      if (left < 0) throw new Error('this process is dead');
      left -= 1;
      const answer = await connection.unary(...call);
      if (left < 0) throw new Error('this process is dead');
      return answer;
    },
  };
  return createContainerdRuntime(commonOptions(mortal));
}

/** Gone, or a zombie that its shim has not collected yet. */
async function hasEnded(pid: number): Promise<boolean> {
  const link = await readlink(`/proc/${pid}/exe`).catch(() => undefined);
  return link === undefined;
}
