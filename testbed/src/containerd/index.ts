export { startTestContainerd, type TestContainerd, type TestContainerdOptions } from './containerd.ts';
export type { ContainerdLeftovers, LeftoverOptions } from './leftovers.ts';
