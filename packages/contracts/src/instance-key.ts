/** One instance in the whole system: `<service id>/<instance number>`. */
export type InstanceKey = string;

export function instanceKey(serviceId: string, number: number): InstanceKey {
  return `${serviceId}/${number}`;
}

export function parseInstanceKey(key: InstanceKey): { readonly serviceId: string; readonly number: number } {
  const slash = key.lastIndexOf('/');
  return { serviceId: key.slice(0, slash), number: Number(key.slice(slash + 1)) };
}

const MARKER = '.instance.';

/** The id of an instance on its worker (cluster-protocol 2.1): `<job name>.instance.<n>`. */
export function taskId(jobName: string, number: number): string {
  return `${jobName}${MARKER}${number}`;
}

/** Splits at the last marker (node-engine 9.1); undefined for ids that are not ours. */
export function parseTaskId(id: string): { readonly jobName: string; readonly number: number } | undefined {
  const at = id.lastIndexOf(MARKER);
  const number = id.slice(at + MARKER.length);
  return at > 0 && /^\d+$/.test(number) ? { jobName: id.slice(0, at), number: Number(number) } : undefined;
}
