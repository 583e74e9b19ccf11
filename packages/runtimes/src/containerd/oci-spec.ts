import type { InstanceSpec } from '../runtime.ts';
import { commandMissing } from '../runtime-errors.ts';
import {
  cgroupMount,
  defaultCapabilities,
  defaultMounts,
  defaultPath,
  maskedPaths,
  readonlyPaths,
} from './oci-defaults.ts';
import type { OciMount, OciResources, OciSpec, OciUser } from './oci-types.ts';
import type { OciImageConfig } from './prepared-image.ts';

/** What the kernel of this host offers. */
export interface CgroupFeatures {
  /** One hierarchy for everything (version 2), not one per controller (version 1 and hybrid). */
  readonly isUnified: boolean;
  /** Can swap be limited? Without it a memory limit moves memory to swap instead of ending the program. */
  readonly limitsSwap: boolean;
}

export interface ProcessLimits {
  /** Open files of one process (soft and hard limit). */
  readonly openFiles: number;
  /** Processes and threads of one instance. */
  readonly pids: number;
}

export interface OciSpecOptions {
  readonly spec: InstanceSpec;
  readonly imageConfig: OciImageConfig;
  /** Numbers of the user of the image. */
  readonly user: OciUser;
  /** Below the root of the hierarchy, `/oakestra/<container id>`. */
  readonly cgroupPath: string;
  readonly cgroups: CgroupFeatures;
  readonly limits: ProcessLimits;
}

const bytesPerMib = 1 << 20;
const cpuPeriodMicros = 100_000;
/** The kernel refuses a smaller quota. */
const smallestQuotaMicros = 1_000;

/** Everything that runc needs to know of an instance (node-engine 11.4, with the limits enforced). */
export function ociSpec(options: OciSpecOptions): OciSpec {
  const { spec, imageConfig, cgroups } = options;
  return {
    ociVersion: '1.0.2',
    process: {
      user: options.user,
      args: argumentsOf(spec, imageConfig),
      env: environmentOf(spec, imageConfig),
      cwd: imageConfig.config?.WorkingDir || '/',
      capabilities: {
        bounding: defaultCapabilities,
        effective: defaultCapabilities,
        permitted: defaultCapabilities,
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: options.limits.openFiles, soft: options.limits.openFiles }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs' },
    hostname: spec.hostname,
    mounts: [...defaultMounts, ...(cgroups.isUnified ? [cgroupMount] : []), ...bindsOf(spec)],
    linux: {
      resources: resourcesOf(spec, options),
      cgroupsPath: options.cgroupPath,
      namespaces: namespacesOf(spec, cgroups),
      maskedPaths,
      readonlyPaths,
    },
  };
}

/** What is executed: the command of the service instead of everything that the image says, or the image's. */
function argumentsOf(spec: InstanceSpec, imageConfig: OciImageConfig): readonly string[] {
  if (spec.command.length > 0) return spec.command;
  const fromImage = [...(imageConfig.config?.Entrypoint ?? []), ...(imageConfig.config?.Cmd ?? [])];
  if (fromImage.length === 0) throw commandMissing(spec.image.reference);
  return fromImage;
}

/** Image, then host name, then service; the last value of a name wins and keeps the first one's place. */
function environmentOf(spec: InstanceSpec, imageConfig: OciImageConfig): readonly string[] {
  const ofImage = imageConfig.config?.Env ?? [];
  const hasPath = ofImage.some((entry) => nameOf(entry) === 'PATH');
  const byName = new Map<string, string>();
  for (const entry of [
    ...(hasPath ? [] : [defaultPath]),
    ...ofImage,
    `HOSTNAME=${spec.hostname}`,
    ...spec.environment,
  ]) {
    byName.set(nameOf(entry), entry);
  }
  return [...byName.values()];
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? entry;
}

function bindsOf(spec: InstanceSpec): readonly OciMount[] {
  const bind = (destination: string, source: string | undefined): readonly OciMount[] =>
    source === undefined
      ? []
      : [{ destination, type: 'bind', source, options: ['rbind', 'ro', 'nosuid', 'nodev', 'noexec'] }];
  return [
    ...bind('/etc/hosts', spec.hostsPath),
    ...bind('/etc/resolv.conf', spec.resolvConfPath),
    ...(spec.files ?? []).flatMap(({ hostPath, path }) => bind(path, hostPath)),
  ];
}

function namespacesOf(spec: InstanceSpec, cgroups: CgroupFeatures): OciSpec['linux']['namespaces'] {
  const path = spec.networkNamespacePath;
  return [
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
    // Without a path: a namespace of its own with nothing but loopback, never the host's.
    { type: 'network', ...(path === undefined ? {} : { path }) },
    ...(cgroups.isUnified ? [{ type: 'cgroup' }] : []),
  ];
}

function resourcesOf(spec: InstanceSpec, { cgroups, limits }: OciSpecOptions): OciResources {
  const memoryBytes = Math.round(spec.memoryMib * bytesPerMib);
  const quota = Math.round((spec.cpuMillis / 1_000) * cpuPeriodMicros);
  return {
    // runc adds the harmless ones (null, zero, random, …) to what is allowed.
    devices: [{ allow: false, access: 'rwm' }],
    ...(memoryBytes > 0
      ? { memory: { limit: memoryBytes, ...(cgroups.limitsSwap ? { swap: memoryBytes } : {}) } }
      : {}),
    ...(quota > 0 ? { cpu: { quota: Math.max(quota, smallestQuotaMicros), period: cpuPeriodMicros } } : {}),
    pids: { limit: limits.pids },
  };
}
