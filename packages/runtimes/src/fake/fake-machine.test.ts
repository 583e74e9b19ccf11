import { createManualClock, type ManualClock } from '@oakestra/daemon';
import { beforeEach, expect, it } from 'vitest';
import type { InstanceSpec, RuntimeEvent } from '../runtime.ts';
import { createFakeMachine, type FakeMachine } from './fake-machine.ts';
import { createFakeRuntime } from './fake-runtime.ts';

let clock: ManualClock;
let machine: FakeMachine;
beforeEach(() => {
  clock = createManualClock();
  machine = createFakeMachine({ clock, latencyMs: (operation) => (operation === 'start' ? 50 : 10) });
});

const spec = (id: string, command: readonly string[] = []): InstanceSpec => ({
  id,
  image: { reference: 'tiny' },
  command,
  environment: [],
  memoryMib: 0,
  cpuMillis: 0,
  hostname: 'instance-0',
  logPath: `/logs/${id}`,
  labels: {},
});
const image = { pinnedReference: 'tiny@sha256:1', digest: 'sha256:1', stopSignal: 'SIGTERM' };

/** Lets time pass until the promise is settled. */
async function done<Result>(promise: Promise<Result>): Promise<Result> {
  let isSettled = false;
  promise.then(
    () => {
      isSettled = true;
    },
    () => {
      isSettled = true;
    },
  );
  while (!isSettled) await clock.advance(1);
  return promise;
}

it('takes its time by the clock only', async () => {
  const runtime = createFakeRuntime(machine);
  await done(runtime.create(spec('a'), image));
  expect(clock.monotonicMs()).toBe(10);
  await done(runtime.start('a'));
  expect(clock.monotonicMs()).toBe(60);
});

it('fails as told: before, so that nothing happened, or after, so that only the answer is lost', async () => {
  const runtime = createFakeRuntime(machine);
  machine.fail('create', { error: new Error('early'), times: 2, id: 'a' });
  machine.fail('create', { error: new Error('late'), when: 'after' });
  await expect(done(runtime.create(spec('a'), image))).rejects.toThrow('early');
  await expect(done(runtime.create(spec('a'), image))).rejects.toThrow('early');
  expect(machine.instances.size).toBe(0);
  await expect(done(runtime.create(spec('a'), image))).rejects.toThrow('late');
  expect(machine.instances.size).toBe(1);
  await done(runtime.create(spec('a'), image));
});

it('is unavailable for a while: operations fail, processes go on, events of that time are lost', async () => {
  const runtime = createFakeRuntime(machine);
  const events: RuntimeEvent[] = [];
  runtime.subscribe((event) => events.push(event));
  await done(runtime.create(spec('a'), image));
  await done(runtime.start('a'));
  machine.setAvailable(false);
  await expect(done(runtime.list())).rejects.toMatchObject({ code: 'runtime-unavailable' });
  machine.end('a', { code: 3 });
  machine.setAvailable(true);
  await clock.advance(100);
  expect(events.map(({ kind }) => kind)).toEqual(['available', 'unavailable', 'available']);
  expect((await done(runtime.list()))[0]?.state).toMatchObject({ kind: 'exited', exit: { code: 3 } });
});

it('ends every process in a reboot without telling, and keeps what was created', async () => {
  const runtime = createFakeRuntime(machine);
  const events: RuntimeEvent[] = [];
  await done(runtime.create(spec('a'), image));
  await done(runtime.start('a'));
  await done(runtime.create(spec('b'), image));
  runtime.subscribe((event) => events.push(event));
  machine.reboot();
  await clock.advance(100);
  expect(events).toEqual([{ kind: 'available' }]);
  const listed = await done(createFakeRuntime(machine).list());
  expect(listed.map(({ id, state }) => [id, state.kind])).toEqual([
    ['a', 'exited'],
    ['b', 'created'],
  ]);
});

it('counts how often a program ran', async () => {
  const runtime = createFakeRuntime(machine);
  await done(runtime.create(spec('a', ['exit', '0', '5']), image));
  await done(runtime.start('a'));
  await clock.advance(10);
  await done(runtime.start('a'));
  expect(machine.instances.get('a')?.starts).toBe(1);
});

it('says the same of the same image name every time, and what Docker means by a short one', async () => {
  const runtime = createFakeRuntime(machine);
  const prepare = (reference: string) =>
    done(runtime.prepareImage({ reference }, { signal: new AbortController().signal }));
  const first = await prepare('nginx');
  expect(first.pinnedReference).toBe(`docker.io/library/nginx@${first.digest}`);
  expect(await prepare('docker.io/library/nginx:latest')).toEqual(first);
  expect((await prepare('nginx:2')).digest).not.toBe(first.digest);
  await expect(
    done(runtime.prepareImage({ reference: 'nginx' }, { signal: AbortSignal.abort(new Error('enough')) })),
  ).rejects.toThrow('enough');
});
