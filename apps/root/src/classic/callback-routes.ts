import { isStatusWord, type JsonObject, OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import type { LegacyClusters } from '../legacy-clusters/index.ts';
import { requireScheduler, requireSpeakerOf } from './callback-access.ts';
import { bare, type Route } from './route.ts';

export interface CallbackParts {
  readonly clusters: Clusters;
  readonly deployments: Deployments;
  readonly legacyClusters: Pick<LegacyClusters, 'report'>;
  readonly logger?: Logger;
}

/** Reports grow with the instances of a cluster, logs and histories included. */
const REPORT_LIMIT_BYTES = 64 * 1024 * 1024;

/** What cluster managers and schedulers of the original call (root-api 4.7, 9.2, 10.1). */
export function callbackRoutes(parts: CallbackParts): Route[] {
  const { clusters, deployments, legacyClusters, logger } = parts;
  return [
    {
      method: 'POST',
      path: '/api/information/:clusterId',
      access: 'peer',
      body: 'json',
      bodyLimitBytes: REPORT_LIMIT_BYTES,
      async handle({ parameters, body }, caller) {
        const clusterId = idOf(parameters.clusterId, 'cluster id');
        requireSpeakerOf(caller, clusters.cluster(clusterId)?.name);
        legacyClusters.report(clusterId, body);
        return bare('ok');
      },
    },
    {
      method: 'POST',
      path: '/api/result/deploy',
      access: 'peer',
      body: 'json',
      async handle({ body }, caller) {
        requireScheduler(caller);
        const { job_id: jobId, candidate_id: candidateId } = body;
        const job = idOf(jobId, 'job_id');
        if (candidateId === undefined) {
          const status = refusalOf(body);
          // The state of a service follows from its instances, and there is none.
          logger?.info('a scheduler found no cluster', { service: job, status });
          return bare('ok');
        }
        const cluster = idOf(candidateId, 'candidate_id');
        // Unknown ones are ignored (root-api 10.1).
        if (deployments.service(job) === undefined || clusters.cluster(cluster) === undefined)
          return bare('ok');
        const placed = await deployments.requestInstanceAt(job, cluster);
        if (placed === undefined) {
          logger?.warn('a scheduler chose a cluster where it does not fit: nothing was placed', {
            service: job,
            cluster,
          });
        }
        return bare('ok');
      },
    },
  ];
}

function idOf(given: unknown, name: string): string {
  if (typeof given === 'string' && /^[0-9a-f]{24}$/.test(given)) return given;
  const message = `${name} must be 24 lower-case hexadecimal digits, not ${JSON.stringify(given) ?? 'missing'}.`;
  throw new OakestraError('invalid', 'callback-invalid', message);
}

function refusalOf({ status }: JsonObject): string {
  if (isStatusWord(status)) return status;
  const message = `Without candidate_id, status must say why: a status word, not ${JSON.stringify(status) ?? 'missing'}.`;
  throw new OakestraError('invalid', 'callback-invalid', message);
}
