export type { ApiClient, InstanceDocument } from './api-client.ts';
export { type Deployed, type Installation, openInstallation, type Placed } from './installation.ts';
export { readLimits } from './limits.ts';
export { httpFrom, udpFrom } from './probe.ts';
export { instanceIdOf, slaOf } from './sla.ts';
export type { TierProcess } from './tier-process.ts';
export type { RunningTask, WorkerNode } from './worker-node.ts';
