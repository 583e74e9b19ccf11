export { createApiClient } from './api-client.ts';
export { removeCgroups, removeNamespaces, removeRuncFolder } from './clean-up.ts';
export { type Deployed, type Installation, openInstallation, type Placed } from './installation.ts';
export { readLimits } from './limits.ts';
export { startLoopbackRegistry } from './loopback-registry.ts';
export { httpFrom, udpFrom } from './probe.ts';
export { instanceIdOf, slaOf } from './sla.ts';
export { createTierProcess, type TierProcess } from './tier-process.ts';
export { createWorkerNode, type RunningTask, type WorkerNode } from './worker-node.ts';
