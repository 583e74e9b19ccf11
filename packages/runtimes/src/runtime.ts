import type { Sensitive } from '@oakestra/contracts';

/** Where a runtime gets an image from, beside its reference. */
export interface ImageRequest {
  /** As the user wrote it (`nginx`); the runtime normalises it the way Docker does. */
  readonly reference: string;
  /** `linux/arm64`; absent: the platform of this host. */
  readonly platform?: string;
  readonly credentials?: { readonly username: string; readonly password: Sensitive };
}

export interface ImageProgress {
  readonly phase: 'resolving' | 'downloading' | 'unpacking';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** An image that is complete on this host and unpacked. */
export interface Image {
  /** Normalised, pinned to the digest: `docker.io/library/nginx@sha256:…`. */
  readonly pinnedReference: string;
  readonly digest: string;
  /** Name of the signal that asks a program of this image to end, `SIGTERM` unless the image says otherwise. */
  readonly stopSignal: string;
}

/** Identity and labels that must survive a restart of the worker: the runtime stores them with the instance. */
export type InstanceLabels = Readonly<Record<string, string>>;

export interface InstanceSpec {
  /** Unique on this host: `<job name>.instance.<n>`. */
  readonly id: string;
  readonly image: ImageRequest;
  /** Replaces entrypoint and command of the image when not empty (node-engine 11.4). */
  readonly command: readonly string[];
  /** `NAME=value`; wins over the image. */
  readonly environment: readonly string[];
  /** 0: no limit. */
  readonly memoryMib: number;
  /** Thousandths of a core; 0: no limit. */
  readonly cpuMillis: number;
  readonly hostname: string;
  /** Path of an existing network namespace, `/run/netns/…`. */
  readonly networkNamespacePath?: string;
  readonly resolvConfPath?: string;
  readonly hostsPath?: string;
  /** Files of this host that the instance sees, read-only. */
  readonly files?: readonly { readonly hostPath: string; readonly path: string }[];
  /** Standard output and error are appended here. */
  readonly logPath: string;
  readonly labels: InstanceLabels;
}

export type InstanceState =
  | { readonly kind: 'created' }
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'exited'; readonly exit: InstanceExit };

export interface InstanceExit {
  /** 0 to 255; 128 + signal number when a signal ended it. */
  readonly code: number;
  /** `SIGKILL`, `SIGSEGV`, … when a signal ended it. */
  readonly signal?: string;
  readonly isOutOfMemory: boolean;
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface RuntimeInstance {
  readonly id: string;
  readonly labels: InstanceLabels;
  readonly state: InstanceState;
}

export interface InstanceStats {
  /** Total processor time since the start, nanoseconds. */
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  /** 0: no limit. */
  readonly memoryLimitBytes: number;
  /** Bytes of the writable layer. */
  readonly diskBytes: number;
}

export type RuntimeEvent =
  | { readonly kind: 'exited'; readonly id: string; readonly exit: InstanceExit }
  /** The runtime answers (again): list and compare, events may have been missed. */
  | { readonly kind: 'available' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface RuntimeCapabilities {
  /** Can more memory and processor be enforced, not only hoped for? */
  readonly enforcesLimits: boolean;
  readonly usesImages: boolean;
}

/**
 * What the worker needs of anything that runs instances. All operations are idempotent: repeating one that
 * succeeded succeeds again. Failures are `OakestraError`s with the codes of `runtime-errors.ts`.
 */
export interface Runtime {
  /** The value of `virtualization` that selects it: `docker`. */
  readonly name: string;
  readonly capabilities: RuntimeCapabilities;

  /** Resolves, downloads and unpacks; cheap when the image is already here by its digest. */
  prepareImage(
    request: ImageRequest,
    options: { readonly signal: AbortSignal; readonly onProgress?: (progress: ImageProgress) => void },
  ): Promise<Image>;

  /**
   * Creates what can be created before the network is ready: all of it when the paths of the specification exist
   * already. `image` is the result of `prepareImage`, best unchanged. What exists with the same specification
   * stays (labels do not count); a leftover with another one is replaced unless it runs (`instance-exists`).
   * After a failure `remove` clears what was done.
   */
  create(spec: InstanceSpec, image: Image): Promise<void>;
  /**
   * Starts a created instance; resolves when its process runs. One that has run is not run again: its process id
   * is answered, 0 when that is not known any more. To run it again, remove and create it.
   */
  start(id: string): Promise<{ readonly pid: number }>;

  /** Everything that exists here and is ours, also what another process of ours created. */
  list(): Promise<readonly RuntimeInstance[]>;
  signal(id: string, signal: string): Promise<void>;
  /**
   * Stop signal of the image, then SIGKILL after `graceMs`; resolves when no process is left, at once when there
   * is none.
   */
  stop(id: string, options: { readonly graceMs: number }): Promise<void>;
  /** Replaces labels, for example after the placement epoch of a running instance was raised. */
  relabel(id: string, labels: InstanceLabels): Promise<void>;
  /** Removes every trace but the log. Kills what still runs; its exit may then not be reported. */
  remove(id: string): Promise<void>;
  stats(id: string): Promise<InstanceStats | undefined>;
  /** Calls back for every event until the returned function is called. */
  subscribe(listener: (event: RuntimeEvent) => void): () => void;
  close(): Promise<void>;
}
