import { createHash } from 'node:crypto';
import { sleep } from '@oakestra/daemon';
import { parseImageReference, pinnedImageReference } from '../images/reference.ts';
import type { Image, InstanceSpec, Runtime, RuntimeEvent } from '../runtime.ts';
import { instanceExists, instanceNotFound, instanceNotRunning, runtimeClosed } from '../runtime-errors.ts';
import { signalNumber } from '../signals.ts';
import { turnsByKey } from '../turns.ts';
import type { FakeInstance, FakeMachine } from './fake-machine.ts';

export interface FakeRuntimeOptions {
  /** Default `docker`, so that it stands in for containers. */
  readonly name?: string;
}

const endPollMs = 5;
const nanosPerMilli = 1_000_000;

/** A runtime without processes over a machine that outlives it; all that happens goes through the machine's clock. */
export function createFakeRuntime(machine: FakeMachine, options: FakeRuntimeOptions = {}): Runtime {
  const { clock, internals } = machine;
  const inTurn = turnsByKey();
  const listeners = new Set<(event: RuntimeEvent) => void>();
  let unwatch: (() => void) | undefined;
  let isClosed = false;

  const operate: FakeMachine['operate'] = async (operation, id, work) => {
    if (isClosed) throw runtimeClosed('the fake runtime');
    return machine.operate(operation, id, work);
  };
  const need = (id: string): FakeInstance => {
    const instance = machine.instances.get(id);
    if (instance === undefined) throw instanceNotFound(id);
    return instance;
  };
  const isRunning = (id: string) => machine.instances.get(id)?.state.kind === 'running';
  const hasEnded = async (id: string, withinMs: number): Promise<boolean> => {
    const untilMs = clock.monotonicMs() + withinMs;
    while (isRunning(id)) {
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) return false;
      await sleep(clock, Math.min(endPollMs, leftMs));
    }
    return true;
  };
  const emit = (event: RuntimeEvent) => {
    for (const listener of [...listeners]) listener(event);
  };

  return {
    name: options.name ?? 'docker',
    capabilities: { enforcesLimits: true, usesImages: true },
    async prepareImage(request, { signal, onProgress }) {
      signal.throwIfAborted();
      const prepared = operate('prepareImage', '', () => {
        signal.throwIfAborted();
        onProgress?.({ phase: 'unpacking', doneBytes: 1, totalBytes: 1 });
        return imageOf(request.reference);
      });
      return untilAborted(prepared, signal);
    },
    create: (spec, image) =>
      inTurn(spec.id, () =>
        operate('create', spec.id, () => {
          const existing = machine.instances.get(spec.id);
          if (existing !== undefined && isSame(existing, spec, image)) return;
          if (isRunning(spec.id)) throw instanceExists(spec.id);
          internals.delete(spec.id);
          internals.add(spec, image);
        }),
      ),
    start: (id) =>
      inTurn(id, () =>
        operate('start', id, () => {
          const instance = need(id);
          if (instance.state.kind === 'running') return { pid: instance.state.pid };
          if (instance.state.kind === 'exited') return { pid: 0 };
          return { pid: internals.run(instance) };
        }),
      ),
    list: () =>
      operate('list', '', () =>
        [...machine.instances].map(([id, { labels, state }]) => ({ id, labels, state })),
      ),
    signal: (id, signal) =>
      operate('signal', id, () => {
        signalNumber(signal);
        const instance = need(id);
        if (instance.state.kind !== 'running') throw instanceNotRunning(id);
        internals.signal(instance, signal);
      }),
    stop: (id, { graceMs }) =>
      operate('stop', id, async () => {
        const instance = machine.instances.get(id);
        if (instance === undefined || instance.state.kind !== 'running') return;
        if (graceMs > 0) {
          internals.signal(instance, instance.image.stopSignal);
          if (await hasEnded(id, graceMs)) return;
        }
        // It may have been removed and made anew meanwhile.
        if (machine.instances.get(id) === instance) internals.signal(instance, 'SIGKILL');
      }),
    relabel: (id, labels) =>
      inTurn(id, () =>
        operate('relabel', id, () => {
          need(id).labels = labels;
        }),
      ),
    remove: (id) =>
      inTurn(id, () =>
        operate('remove', id, () => {
          internals.delete(id);
        }),
      ),
    stats: (id) =>
      operate('stats', id, () => {
        const instance = machine.instances.get(id);
        if (instance?.state.kind !== 'running') return undefined;
        const runMs = clock.monotonicMs() - instance.startedAtMs;
        const cores = instance.spec.cpuMillis > 0 ? instance.spec.cpuMillis / 1_000 : 1;
        return {
          cpuNanos: Math.round(runMs * cores * nanosPerMilli),
          memoryBytes: 1 << 20,
          memoryLimitBytes: instance.spec.memoryMib * (1 << 20),
          diskBytes: 4_096,
        };
      }),
    subscribe(listener) {
      const own = (event: RuntimeEvent) => listener(event);
      listeners.add(own);
      if (unwatch === undefined && !isClosed) {
        unwatch = internals.watch(emit);
        if (internals.isAvailable) clock.setTimer(0, () => emit({ kind: 'available' }));
      }
      return () => void listeners.delete(own);
    },
    async close() {
      isClosed = true;
      listeners.clear();
      unwatch?.();
    },
  };
}

/** Gives up waiting as soon as the signal says so, as a pull does. */
function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

/** The same name has the same digest in every run. */
function imageOf(reference: string): Image {
  const name = parseImageReference(reference);
  const text = `${name.registry}/${name.repository}:${name.tag}`;
  const digest = name.digest ?? `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return { pinnedReference: pinnedImageReference(name, digest), digest, stopSignal: 'SIGTERM' };
}

/** Labels and credentials do not make another instance. */
function isSame(existing: FakeInstance, spec: InstanceSpec, image: Image): boolean {
  const essence = ({ labels: _labels, image: _image, ...rest }: InstanceSpec) =>
    JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
  return existing.image.digest === image.digest && essence(existing.spec) === essence(spec);
}
