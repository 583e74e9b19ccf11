import * as z from 'zod';
import { OakestraError } from '../errors.ts';
import { isStatusWord, type StatusWord } from '../status.ts';
import { classicStatus } from './status.ts';

/** What a cluster manager of the original says of one instance (root-api 6.3, 9.2). */
export interface ReportedInstance {
  readonly number: number;
  /** Undefined: a word that nobody knows (Q38). */
  readonly status: StatusWord | undefined;
  readonly detail: string;
  readonly workerId: string | undefined;
  readonly workerAddress: string | undefined;
  readonly workerPort: number | undefined;
  /** Percent of the whole machine, 0 to 100. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly logs: string;
}

export interface ReportedJob {
  readonly id: string;
  readonly jobName: string;
  readonly instances: readonly ReportedInstance[];
}

/** Sums and means over the workers of the cluster. */
export interface ReportedResources {
  readonly vcpus: number;
  /** Available memory; the wire says MB and means MiB. */
  readonly memoryMib: number;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly activeWorkers: number;
  readonly virtualization: readonly string[];
  readonly architectures: readonly string[];
  readonly vgpus: number;
  readonly gpuPercent: number;
  readonly gpuTemperature: number;
  readonly gpuDrivers: readonly string[];
  readonly vramMib: number;
  readonly vramPercent: number;
  readonly supportedAddons: readonly string[];
  readonly csiDrivers: readonly string[];
}

export interface ClusterReport {
  /** Undefined: the cluster could not tell this time; what it said before stays true. */
  readonly resources: ReportedResources | undefined;
  readonly jobs: readonly ReportedJob[];
  /** Jobs of which only the id can be read: nothing is concluded about their instances. */
  readonly unreadable: readonly { readonly id: string; readonly reason: string }[];
}

const jobId = z.string().regex(/^[0-9a-f]{24}$/, 'must be 24 lower-case hexadecimal digits');
/** Figures come as numbers or as decimal text. */
const figure = z.coerce.number().catch(0);
const text = z.string().nullish().catch(undefined);
/** One text for each worker, repeated where they agree (Q32); null without workers. */
const texts = z
  .array(z.unknown())
  .nullish()
  .catch(undefined)
  .transform((list) => [...new Set((list ?? []).filter((item) => typeof item === 'string'))]);
const count = z.coerce.number().min(0).catch(0);

const instanceSchema = z.looseObject({
  instance_number: z.int().min(0).max(999_999_999_999_999),
  status: z.unknown(),
  status_detail: text,
  worker_id: text,
  host_ip: text,
  // Text or integer (Q33).
  host_port: z.coerce.number().int().min(1).max(65_535).optional().catch(undefined),
  cpu_percent: figure,
  memory_percent: figure,
  disk: figure,
  logs: text,
});

const jobSchema = z.looseObject({
  _id: jobId,
  job_name: z.string(),
  instance_list: z.array(instanceSchema),
});

const resourcesSchema = z.looseObject({
  ...{ vcpus: count, memory: count, cpu_percent: count, memory_percent: count, active_nodes: count },
  ...{ vgpus: count, gpu_percent: count, gpu_temp: figure, vram: count, vram_percent: count },
  ...{ virtualization: texts, gpu_drivers: texts, supported_addons: texts, csi_drivers: texts },
  aggregation_per_architecture: z.record(z.string(), z.unknown()).catch({}),
});

/**
 * Reads the body of `POST /api/information/<cluster id>` (root-api 9.2). One bad job spoils nothing but itself. Refuses
 * a body without jobs with `report-invalid`: their absence must not read as "nothing runs".
 */
export function readClusterReport(body: { readonly [field: string]: unknown }): ClusterReport {
  if (!Array.isArray(body.jobs)) {
    const message = 'jobs is missing: send the list of all jobs of the cluster, [] when there are none.';
    throw new OakestraError('invalid', 'report-invalid', message);
  }
  const jobs = new Map<string, ReportedJob>();
  const unreadable: { id: string; reason: string }[] = [];
  for (const [index, given] of body.jobs.entries()) {
    const parsed = jobSchema.safeParse(given);
    if (parsed.success) {
      const { _id: id, job_name: jobName, instance_list: list } = parsed.data;
      const earlier = jobs.get(id)?.instances ?? [];
      jobs.set(id, { id, jobName, instances: [...earlier, ...list.map(instanceOf)] });
      continue;
    }
    const id = jobId.safeParse((given as { _id?: unknown } | null)?._id);
    const [issue] = parsed.error.issues;
    const reason = `${issue?.path.join('.') || 'job'}: ${issue?.message}`;
    if (!id.success) {
      const message = `jobs.${index}: ${reason}. Without its id it is unknown which job this is.`;
      throw new OakestraError('invalid', 'report-invalid', message);
    }
    unreadable.push({ id: id.data, reason });
  }
  return { resources: resourcesOf(body), jobs: [...jobs.values()], unreadable };
}

function instanceOf(instance: z.infer<typeof instanceSchema>): ReportedInstance {
  const { status } = instance;
  const isKnown = isStatusWord(status) || (typeof status === 'string' && status.startsWith('MIGRATION_'));
  return {
    number: instance.instance_number,
    status: isKnown ? classicStatus(status) : undefined,
    detail: instance.status_detail ?? 'No extra information',
    workerId: instance.worker_id || undefined,
    workerAddress: instance.host_ip || undefined,
    workerPort: instance.host_port,
    cpuPercent: instance.cpu_percent,
    memoryBytes: instance.memory_percent,
    diskBytes: instance.disk,
    logs: instance.logs ?? '',
  };
}

/** The cluster leaves all figures out when it could not ask its workers (cluster-protocol 7.2). */
function resourcesOf(body: { readonly [field: string]: unknown }): ReportedResources | undefined {
  if (!('active_nodes' in body || 'vcpus' in body)) return undefined;
  const read = resourcesSchema.parse(body);
  return {
    vcpus: read.vcpus,
    memoryMib: read.memory,
    cpuPercent: Math.min(100, read.cpu_percent),
    memoryPercent: Math.min(100, read.memory_percent),
    activeWorkers: read.active_nodes,
    virtualization: read.virtualization,
    architectures: Object.keys(read.aggregation_per_architecture),
    vgpus: read.vgpus,
    gpuPercent: read.gpu_percent,
    gpuTemperature: read.gpu_temp,
    gpuDrivers: read.gpu_drivers,
    vramMib: read.vram,
    vramPercent: read.vram_percent,
    supportedAddons: read.supported_addons,
    csiDrivers: read.csi_drivers,
  };
}
