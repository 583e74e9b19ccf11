import type { Applications } from '../applications/index.ts';
import type { Clusters } from '../clusters/index.ts';
import type { Deployments } from '../deployments/index.ts';
import type { Identity } from '../identity/index.ts';
import { coreApplications } from './core-applications.ts';
import { coreJobs } from './core-jobs.ts';
import { coreResources } from './core-resources.ts';
import type { AbstractorPorts } from './ports.ts';

export interface CoreParts {
  readonly clusters: Clusters;
  readonly applications: Applications;
  readonly deployments: Deployments;
  readonly identity: Pick<Identity, 'users'>;
}

/** The documents of the abstractor over what this root really knows. What the core cannot do is `unsupported`. */
export function createCorePorts(parts: CoreParts): AbstractorPorts {
  return {
    resources: coreResources(parts.clusters),
    applications: coreApplications(parts),
    jobs: coreJobs(parts),
  };
}
