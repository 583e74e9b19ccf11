export { type CgroupMounts, readCgroupMounts, removeCgroup } from './cgroup-stats.ts';
export {
  type ContainerdConnection,
  type ContainerdConnectionOptions,
  createContainerdConnection,
} from './containerd-connection.ts';
export { type ContainerdRuntimeOptions, createContainerdRuntime } from './containerd-runtime.ts';
export type { ProcessLimits } from './oci-spec.ts';
export type {
  OciImageConfig,
  PreparedImage,
  PrepareImage,
  PrepareImageOptions,
} from './prepared-image.ts';
export type { OnStep, RuntimeStep } from './runtime-context.ts';
export { type ChooseSnapshotter, createSnapshotterChoice, type SnapshotterName } from './snapshotter.ts';
