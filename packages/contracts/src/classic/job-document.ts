import type { JsonObject, ServiceDocument } from '../documents.ts';
import type { StatusWord } from '../status.ts';

/** What a root asks a cluster manager of the original to run. */
export interface ClassicDeployment {
  readonly serviceId: string;
  readonly document: ServiceDocument;
  readonly nextInstanceNumber: number;
  readonly number: number;
  readonly clusterId: string;
  readonly clusterLocation: string;
}

const STATUS: StatusWord = 'CLUSTER_SCHEDULED';

/** The body of `POST /api/service/<job>/<n>` (root-api 9.1): the job with the one instance concerned. */
export function deploymentToWire(deployment: ClassicDeployment): JsonObject {
  const { serviceId, document, number } = deployment;
  return {
    ...document,
    _id: serviceId,
    microserviceID: serviceId,
    status: STATUS,
    status_detail: 'Waiting for scheduling decision',
    next_instance_progressive_number: deployment.nextInstanceNumber,
    instance_list: [
      {
        instance_number: number,
        cluster_id: deployment.clusterId,
        cluster_location: deployment.clusterLocation || 'location-unknown',
        status: STATUS,
      },
    ],
  };
}
