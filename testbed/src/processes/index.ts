export { type CommandOptions, type CommandOutput, runCommand } from './command.ts';
export { eventually } from './eventually.ts';
export { onInterrupt } from './interrupt.ts';
export { collectLogs, keepLogs } from './logs.ts';
export {
  type ManagedProcess,
  type ProcessExit,
  type ProcessOptions,
  startProcess,
} from './managed-process.ts';
export { isOwnerAlive, OWNER_VARIABLE, type OwnerId, ownerInName, ownOwnerId } from './owner.ts';
export { freePort, freePorts } from './ports.ts';
export { makeScratchDirectory, SCRATCH_PREFIX } from './scratch.ts';
