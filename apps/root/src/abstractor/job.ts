import type { JsonObject } from '@oakestra/contracts';

const LONGEST_HISTORY = 100;

export function instancesOf(job: JsonObject): readonly JsonObject[] {
  const { instance_list: list } = job;
  return Array.isArray(list) ? list.filter((item) => typeof item === 'object' && item !== null) : [];
}

export function instanceOf(job: JsonObject, number: number): JsonObject | undefined {
  return instancesOf(job).find((instance) => instance.instance_number === number);
}

/** The report fields of an instance that are absent become null, its output empty (root-api 11.3). */
const NULL_WHEN_ABSENT = [
  ...['publicip', 'worker_id', 'host_ip', 'host_port', 'cpu_percent', 'memory_percent', 'disk'],
  'last_modified_timestamp',
];

/** A report merged into a job. Undefined: it has no such instance. */
export function withInstanceReport<Job extends JsonObject>(
  job: Job,
  number: number,
  report: JsonObject,
  nowMs: number,
): Job | undefined {
  if (instanceOf(job, number) === undefined) return undefined;
  const instances = instancesOf(job).map((instance) =>
    instance.instance_number === number ? reported(instance, report, nowMs) : instance,
  );
  return { ...job, instance_list: instances };
}

function reported(instance: JsonObject, report: JsonObject, nowMs: number): JsonObject {
  const absent = Object.fromEntries(NULL_WHEN_ABSENT.map((name) => [name, report[name] ?? null]));
  return {
    ...instance,
    ...absent,
    // A client ends on an instance without a status (root-api 7).
    status: report.status ?? instance.status,
    status_detail: report.status_detail ?? 'No extra information',
    host_port: integerOf(report.host_port),
    logs: report.logs ?? '',
    cpu_history: longer(instance.cpu_history, report.cpu_percent, nowMs),
    memory_history: longer(instance.memory_history, report.memory_percent, nowMs),
  };
}

/** Old workers write it as text; strictly typed clients read an integer (Q33). */
function integerOf(port: unknown): number | null {
  const number = typeof port === 'string' && port.trim() !== '' ? Number(port) : port;
  return typeof number === 'number' && Number.isFinite(number) ? Math.trunc(number) : null;
}

function longer(history: unknown, value: unknown, nowMs: number): unknown[] {
  const entries = Array.isArray(history) ? history : [];
  const timestamp = new Date(nowMs).toISOString().replace('Z', '000');
  return [...entries, { value: value ?? null, timestamp }].slice(-LONGEST_HISTORY);
}

export function withInstance<Job extends JsonObject>(job: Job, instance: JsonObject): Job {
  return { ...job, instance_list: [...instancesOf(job), instance] };
}

export function withoutInstance<Job extends JsonObject>(job: Job, number: number): Job {
  return {
    ...job,
    instance_list: instancesOf(job).filter((instance) => instance.instance_number !== number),
  };
}
