import { createHash } from 'node:crypto';
import type {
  Epoch,
  InstancePhase,
  InstanceReport,
  MemberFacts,
  ServiceDocument,
  StatusWord,
  Usage,
} from '@oakestra/contracts';
import type { ReportedInstance, ReportedResources } from '@oakestra/contracts/classic';

/** What a cluster of the original reports, in the words of our own tiers. Pure. */

const PHASES: Partial<Readonly<Record<StatusWord, InstancePhase>>> = {
  NODE_SCHEDULED: 'starting',
  CREATING: 'starting',
  CREATED: 'starting',
  RUNNING: 'running',
  FAILED: 'failed',
  DEAD: 'dead',
  COMPLETED: 'completed',
  // It is in the list, so the cluster starts it again by itself (cluster-protocol 6.8).
  UNDEPLOYED: 'dead',
};

/** Words that are not in the table mean that the cluster still looks for a worker. */
export function rowOf(instance: ReportedInstance, epoch: Epoch): InstanceReport {
  const status = instance.status ?? 'REQUESTED';
  return {
    epoch,
    phase: PHASES[status] ?? 'pending',
    status,
    detail: instance.detail,
    ...(instance.workerId === undefined ? {} : { workerId: instance.workerId }),
    ...(instance.workerAddress === undefined ? {} : { workerAddress: instance.workerAddress }),
  };
}

/** What says that nothing is left of an instance. */
export function removedRow(epoch: Epoch): InstanceReport {
  return { epoch, phase: 'removed', status: 'UNDEPLOYED', detail: '' };
}

export function usageOf(key: string, instance: ReportedInstance): Usage['rows'][number] {
  const { cpuPercent, memoryBytes, diskBytes, logs, workerPort } = instance;
  return {
    ...{ key, cpuPercent, memoryBytes, diskBytes, logs },
    ...(workerPort === undefined ? {} : { workerPort }),
  };
}

/**
 * The wire has sums and means. How much the largest worker has is unknown: like the original, the sum counts, and the
 * cluster answers for what fits on no worker.
 */
export function factsOf(resources: ReportedResources): MemberFacts {
  const { vcpus, memoryMib, memoryPercent } = resources;
  const isShareKnown = memoryPercent > 0 && memoryPercent < 100;
  return {
    type: 'facts',
    vcpus,
    memoryTotalMib: isShareKnown ? Math.round(memoryMib / (1 - memoryPercent / 100)) : memoryMib,
    memoryAvailableMib: memoryMib,
    cpuPercent: resources.cpuPercent,
    memoryPercent,
    activeWorkers: resources.activeWorkers,
    virtualization: [...resources.virtualization],
    architectures: [...resources.architectures],
    largestWorkerMemoryMib: memoryMib,
    largestWorkerVcpus: vcpus,
    // It knows none of what came later.
    capabilities: [],
  };
}

/**
 * The service of an instance that runs there and that our store does not know. A report has no more than the name of
 * the job, so it can be shown and removed, but not started anywhere else.
 */
export function documentOf(jobId: string, jobName: string): ServiceDocument {
  const [app = 'unknown', appNamespace = '', service = 'unknown', serviceNamespace = ''] = jobName.split('.');
  return {
    microserviceID: jobId,
    // Services of one application find each other again.
    applicationID: createHash('sha256').update(`${app}.${appNamespace}`).digest('hex').slice(0, 24),
    job_name: jobName,
    app_name: app,
    app_ns: appNamespace,
    service_name: service,
    service_ns: serviceNamespace,
    microservice_name: service,
    microservice_namespace: serviceNamespace,
    virtualization: 'docker',
    image: '',
    code: '',
    on_disconnect: 'wait',
  };
}
