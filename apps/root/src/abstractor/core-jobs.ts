import { type JsonObject, OakestraError } from '@oakestra/contracts';
import { serviceToWire } from '@oakestra/contracts/classic';
import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments, ServiceView } from '../deployments/index.ts';
import type { JobsPort, StoredDocument } from './ports.ts';

export interface CoreJobsParts {
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly clusters: Clusters;
}

/** Services as jobs. They are registered in their application; where an instance runs is up to the root. */
export function coreJobs({ applications, deployments, clusters }: CoreJobsParts): JobsPort {
  const documentOf = (service: ServiceView): StoredDocument => {
    const instances = service.instances.map((instance) => ({
      ...instance,
      clusterLocation: clusters.cluster(instance.clusterId ?? '')?.location,
    }));
    return { ...serviceToWire({ ...service, instances }), _id: service.id };
  };
  const read = (id: string): StoredDocument | undefined => {
    const service = deployments.service(id);
    return service === undefined ? undefined : documentOf(service);
  };
  const refuseChange = (): never => {
    const message = 'A registered job cannot be changed here; delete it and register it again.';
    throw new OakestraError('unsupported', 'job-fixed', message);
  };
  const insert = async (fields: JsonObject): Promise<StoredDocument> => {
    const { applicationID: applicationId } = fields;
    const application =
      typeof applicationId === 'string' ? await applications.application(applicationId) : undefined;
    if (application === undefined) {
      const message = `applicationID must be the id of an application, not ${JSON.stringify(applicationId)}.`;
      throw new OakestraError('invalid', 'job-application-unknown', message);
    }
    const sla = {
      ...{ sla_version: 'v2.0', customerID: application.ownerUserId },
      applications: [
        {
          ...{ application_name: application.name, application_namespace: application.namespace },
          ...{ applicationID: application.id, microservices: [submittedPart(fields)] },
        },
      ],
    };
    const [added] = await applications.addServices({ sla, ownerUserId: application.ownerUserId });
    const document = read(added?.id ?? '');
    if (document === undefined) throw new OakestraError('internal', 'job-lost', 'Nothing was added.');
    return document;
  };

  return {
    all: async () => deployments.services().map(documentOf),
    find: async (id) => read(id),
    insert,
    async upsert(jobName, fields, id) {
      if (deployments.serviceByJobName(jobName) !== undefined) return refuseChange();
      if (id !== undefined) {
        const message = 'This root gives the ids of jobs; leave _id out.';
        throw new OakestraError('unsupported', 'job-id-given', message);
      }
      return insert(fields);
    },
    merge: async (id) => (read(id) === undefined ? undefined : refuseChange()),
    async remove(id) {
      const document = read(id);
      if (document !== undefined) await applications.removeService(id);
      return document;
    },
    async addInstance(id, number, { cluster_id: clusterId }) {
      const service = deployments.service(id);
      if (service === undefined) return undefined;
      if (typeof clusterId === 'string' && clusterId !== '') {
        const message = 'This root chooses the cluster of an instance; leave cluster_id out.';
        throw new OakestraError('unsupported', 'instance-placement', message);
      }
      if (number !== service.nextInstanceNumber) {
        const message = `The next instance of this job has the number ${service.nextInstanceNumber}, not ${number}.`;
        throw new OakestraError('conflict', 'instance-number-unexpected', message);
      }
      await deployments.requestInstance(id);
      return read(id);
    },
    async reportInstance(id, number) {
      const service = deployments.service(id);
      if (service?.instances.some((instance) => instance.number === number) !== true) return undefined;
      const message = 'Instances are reported by their clusters over their own links, not here.';
      throw new OakestraError('unsupported', 'instance-report', message);
    },
    async removeInstance(id, number) {
      if (deployments.service(id) === undefined) return undefined;
      await deployments.removeInstance(id, number).catch((error: unknown) => {
        if (!(error instanceof OakestraError) || error.code !== 'instance-not-found') throw error;
      });
      return read(id);
    },
  };
}

/** What the root derives, or keeps apart. */
const DERIVED: ReadonlySet<string> = new Set([
  ...['_id', 'microserviceID', 'applicationID', 'job_name', 'app_name', 'app_ns', 'service_name'],
  ...['service_ns', 'image', 'RR_ip', 'RR_ip_v6', 'status', 'status_detail', 'instance_list'],
  'next_instance_progressive_number',
]);

/** The microservice that the job was made of. */
function submittedPart(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !DERIVED.has(name)));
}
