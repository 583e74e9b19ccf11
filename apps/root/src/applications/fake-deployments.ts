import { OakestraError } from '@oakestra/contracts';
import type { Deployments, ServiceView } from '../deployments/index.ts';

export interface FakeDeployments extends Deployments {
  /** The next registration of this service is refused with the given error. */
  refuse(jobName: string, error: OakestraError): void;
  /** Names of services in the order of their removal. */
  readonly removed: readonly string[];
}

/** Services in memory, without instances: what the intake of applications needs in its tests. */
export function createFakeDeployments(): FakeDeployments {
  const services = new Map<string, ServiceView>();
  const refusals = new Map<string, OakestraError>();
  const removed: string[] = [];
  const byJobName = (jobName: string) =>
    [...services.values()].find(({ document }) => document.job_name === jobName);
  const noInstances = async (): Promise<never> => {
    throw new Error('this fake has no instances');
  };
  return {
    removed,
    refuse: (jobName, error) => refusals.set(jobName, error),
    async registerService({ id, ownerUserId, document }) {
      await Promise.resolve();
      const refusal = refusals.get(document.job_name);
      refusals.delete(document.job_name);
      if (refusal !== undefined) throw refusal;
      if (byJobName(document.job_name) !== undefined) {
        throw new OakestraError('conflict', 'service-exists', `There is a service ${document.job_name}.`);
      }
      const none = { nextInstanceNumber: 0, status: undefined, statusDetail: '', instances: [] };
      const unchanged = {
        revision: 1,
        rollout: undefined,
        previousDocument: undefined,
        lastOutcome: undefined,
      };
      services.set(id, { id, ownerUserId, document, ...none, ...unchanged });
    },
    async updateService(id, document) {
      const service = services.get(id);
      if (service !== undefined) services.set(id, { ...service, document, revision: service.revision + 1 });
    },
    async removeService(id) {
      await Promise.resolve();
      const service = services.get(id);
      if (service === undefined)
        throw new OakestraError('not-found', 'service-not-found', `No service ${id}.`);
      services.delete(id);
      removed.push(service.document.job_name);
    },
    service: (id) => services.get(id),
    serviceByJobName: byJobName,
    services: () => [...services.values()],
    requestInstance: noInstances,
    requestInstanceAt: noInstances,
    removeInstance: noInstances,
    removeAllInstances: noInstances,
    setReplicas: noInstances,
  };
}
