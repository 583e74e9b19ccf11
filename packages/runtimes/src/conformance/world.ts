import type { Image, ImageRequest, InstanceExit, InstanceSpec, Runtime, RuntimeEvent } from '../runtime.ts';

/** Commands that the image of a backend understands. */
export interface ConformancePrograms {
  /** Runs until it is asked to end, then ends with code 0. */
  readonly graceful: readonly string[];
  /** Runs until it is killed, whatever it is asked. */
  readonly stubborn: readonly string[];
  /** Writes `out` to standard output and `err` to standard error, a line each, and goes on running. */
  readonly talkative: (out: string, err: string) => readonly string[];
  /** Ends at once with this code. */
  readonly ends: (code: number) => readonly string[];
  /** Takes more than 64 MiB. */
  readonly hungry: readonly string[];
  /** Names a file that the image does not have. */
  readonly missing: readonly string[];
}

/** One backend to test a runtime on. */
export interface ConformanceBackend {
  /** A new `Runtime` over the same backend, as a new process of ours would make it. */
  open(): Runtime;
  readonly image: ImageRequest;
  readonly programs: ConformancePrograms;
  logPathOf(id: string): string;
  readLog(path: string): Promise<string>;
  /** What is on the host because of instances; looked at when there should be none. */
  leftovers(): Promise<readonly string[]>;
  /** Ends and removes all that the backend made; called also after failures. */
  dispose(): Promise<void>;
}

/** What the cases work with. */
export interface World {
  readonly backend: ConformanceBackend;
  /** The runtime of "this process", subscribed to. */
  readonly runtime: Runtime;
  readonly image: Image;
  readonly events: readonly RuntimeEvent[];
  spec(command: readonly string[], changes?: Partial<InstanceSpec>): InstanceSpec;
  /** Creates and starts; answers the specification. */
  run(command: readonly string[], changes?: Partial<InstanceSpec>): Promise<InstanceSpec>;
  /** The reported end of an instance. */
  exitOf(id: string): Promise<InstanceExit>;
  close(): Promise<void>;
}

const patienceMs = 30_000;
const pollMs = 10;

/** Waits until `look` answers something. */
export async function eventually<Found>(
  what: string,
  look: () => Promise<Found | undefined> | Found | undefined,
): Promise<Found> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > untilMs) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

export async function createWorld(backend: ConformanceBackend): Promise<World> {
  const runtime = backend.open();
  const events: RuntimeEvent[] = [];
  runtime.subscribe((event) => events.push(event));
  await eventually('the first event', () => events.find(({ kind }) => kind === 'available'));
  const image = await runtime.prepareImage(backend.image, { signal: AbortSignal.timeout(patienceMs) });
  let count = 0;

  const spec: World['spec'] = (command, changes = {}) => {
    count += 1;
    const id = `shop.live.case${count}.live.instance.0`;
    return {
      id,
      image: backend.image,
      command,
      environment: [],
      memoryMib: 64,
      cpuMillis: 500,
      hostname: 'instance-0',
      logPath: backend.logPathOf(id),
      labels: { epoch: '1' },
      ...changes,
    };
  };
  return {
    backend,
    runtime,
    image,
    events,
    spec,
    async run(command, changes) {
      const made = spec(command, changes);
      await runtime.create(made, image);
      await runtime.start(made.id);
      return made;
    },
    exitOf: (id) =>
      eventually(`the end of ${id}`, () => {
        const event = events.find((candidate) => candidate.kind === 'exited' && candidate.id === id);
        return event?.kind === 'exited' ? event.exit : undefined;
      }),
    async close() {
      await runtime.close();
      await backend.dispose();
    },
  };
}
