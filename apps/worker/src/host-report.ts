import { type Labels, type MemberFacts, messageOf } from '@oakestra/contracts';
import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';
import {
  createUsageReader,
  type NodeFacts,
  type NodeUsage,
  readNodeFacts,
  registrationInformation,
} from './host-facts/index.ts';

export interface HostReportOptions {
  readonly name: string;
  readonly clusterAddress: string;
  /** What instances may ask for in `virtualization`. */
  readonly virtualization: readonly string[];
  readonly bridgeName: string;
  /** Of the settings. */
  readonly labels: Labels;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly workerId: () => string | undefined;
  readonly report: (facts: MemberFacts) => void;
}

/** What this host has and how busy it is, told to the cluster when it changes notably. */
export interface HostReport {
  /** Logical cores. */
  readonly vcpus: number;
  /** Address under which others reach this host; empty while there is no network. */
  address(): string;
  registration(): Promise<Readonly<Record<string, unknown>>>;
  start(): void;
  /** Tell it again: the receiver is a new one. */
  tell(): void;
  stop(): void;
}

export async function createHostReport(options: HostReportOptions): Promise<HostReport> {
  const { clock } = options;
  const facts: NodeFacts = await readNodeFacts();
  const readUsage = createUsageReader({ ignoredInterfaces: [options.bridgeName] });
  let usage: NodeUsage = await readUsage();
  let told: MemberFacts | undefined;
  let cancel: CancelTimer | undefined;
  let isStopped = false;

  const memberFacts = (): MemberFacts => ({
    type: 'facts',
    vcpus: usage.vcpus,
    memoryTotalMib: facts.memoryTotalMib,
    memoryAvailableMib: usage.memoryAvailableMib,
    cpuPercent: Math.round(usage.cpuPercent),
    memoryPercent: Math.round(usage.memoryPercent),
    activeWorkers: 1,
    virtualization: [...options.virtualization],
    architectures: [facts.architecture],
    largestWorkerMemoryMib: facts.memoryTotalMib,
    largestWorkerVcpus: usage.vcpus,
  });

  const tell = (): void => {
    told = memberFacts();
    options.report(told);
  };

  const arm = (): void => {
    if (isStopped) return;
    cancel = clock.setTimer(options.intervalMs, () => {
      readUsage()
        .then((next) => {
          if (isStopped) return;
          usage = next;
          const now = memberFacts();
          const isNotable =
            told === undefined ||
            Math.abs(told.cpuPercent - now.cpuPercent) >= 10 ||
            Math.abs(told.memoryPercent - now.memoryPercent) >= 5;
          if (isNotable) tell();
        })
        .catch((error: unknown) => {
          options.logger.warn('the use of this host could not be measured', { reason: messageOf(error) });
        })
        .finally(arm);
    });
  };

  return {
    vcpus: usage.vcpus,
    address: () => usage.address ?? '',
    async registration() {
      usage = await readUsage();
      const information = registrationInformation(facts, usage, {
        host: options.name,
        port: '',
        virtualization: options.virtualization,
        clusterAddress: options.clusterAddress,
      });
      return { ...information, id: options.workerId() ?? '', labels: options.labels };
    },
    start: arm,
    tell,
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}
