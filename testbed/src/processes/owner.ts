import { startTimeOf } from '../../../scripts/setup/process-identity.mjs';

/**
 * Everything the testbed makes carries the process that made it in its name or environment, so that a later run can
 * tell what a dead run left behind from what another run is using: process id and start time, in base 36, at most
 * nine characters (names of network interfaces have room for fifteen).
 */
export type OwnerId = string;

/** The environment variable that every process started by the testbed inherits. */
export const OWNER_VARIABLE = 'OAKESTRA_TESTBED_OWNER';

const START_TIME_RANGE = 36 ** 3;
const PATTERN = '[0-9a-z]{1,5}-[0-9a-z]{3}';

/** The id of a running process; undefined when there is none with this pid. */
export function ownerIdOf(pid: number): OwnerId | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  const fingerprint = (Number(startTime) % START_TIME_RANGE).toString(36).padStart(3, '0');
  return `${pid.toString(36)}-${fingerprint}`;
}

/** The id of this process. */
export function ownOwnerId(): OwnerId {
  return ownerIdOf(process.pid) as OwnerId;
}

/** Whether the process with this id still runs. */
export function isOwnerAlive(owner: OwnerId): boolean {
  const pid = Number.parseInt(owner.split('-')[0] ?? '', 36);
  return ownerIdOf(pid) === owner;
}

/** The owner that a name such as `otb1a2b-x9zb01` carries after `prefix`; undefined for foreign names. */
export function ownerInName(name: string, prefix: string): OwnerId | undefined {
  return new RegExp(`^${prefix}(${PATTERN})`).exec(name)?.[1];
}
