import {
  createPublisher,
  type Greeting,
  type InstanceReport,
  type MemberFacts,
  type ServiceDocument,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';

/** A cluster in a test: it does what it is told at once, and reports it. */
export interface TestCluster {
  readonly greeting: Greeting;
  /** What a cluster says at the beginning of a session. */
  opening(): TierReport[];
  /** Carries out a command; gives what it says to that. */
  obey(command: TierCommand): TierReport[];
}

export const FACTS: MemberFacts = {
  type: 'facts',
  vcpus: 8,
  memoryTotalMib: 16_000,
  memoryAvailableMib: 12_000,
  cpuPercent: 3,
  memoryPercent: 25,
  activeWorkers: 1,
  virtualization: ['docker'],
  architectures: ['amd64'],
  largestWorkerMemoryMib: 16_000,
  largestWorkerVcpus: 8,
};

export function createTestCluster(incarnation = 'c'.repeat(32)): TestCluster {
  const source = { incarnation, boot: 1 };
  const publisher = createPublisher<InstanceReport>(source);
  const changes = (): TierReport[] => {
    const message = publisher.takeChanges();
    return message === undefined ? [] : [message];
  };
  return {
    greeting: { ...source, highestEpoch: { root: 0, cluster: 0 } },
    opening: () => [FACTS, publisher.restart()],
    obey(command) {
      switch (command.type) {
        case 'deploy':
          publisher.set(command.key, {
            epoch: { root: command.epoch.root, cluster: 1 },
            phase: 'running',
            status: 'RUNNING',
            detail: '',
            workerId: 'd'.repeat(24),
            workerAddress: '192.0.2.9',
          });
          return changes();
        case 'remove':
          publisher.set(command.key, {
            epoch: command.epoch,
            phase: 'removed',
            status: 'UNDEPLOYED',
            detail: '',
          });
          return changes();
        case 'forget':
          publisher.delete(command.key);
          return changes();
        case 'sync':
          return [publisher.answer(command)];
        case 'describe':
        case 'assign':
          return [];
      }
    },
  };
}

export function serviceDocument(serviceId: string, serviceName = 'web'): ServiceDocument {
  return {
    microserviceID: serviceId,
    applicationID: 'a'.repeat(24),
    job_name: `shop.default.${serviceName}.default`,
    app_name: 'shop',
    app_ns: 'default',
    service_name: serviceName,
    service_ns: 'default',
    virtualization: 'docker',
    image: 'nginx',
    code: 'nginx',
    memory: 64,
    vcpus: 1,
  };
}
