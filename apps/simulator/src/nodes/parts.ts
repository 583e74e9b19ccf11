import { createClusterCore } from '@oakestra/cluster';
import { createPump } from '@oakestra/ownership';
import { createRootCore } from '@oakestra/root';
import { createWorkerCore } from '@oakestra/worker';

/** What of the product runs in a world. A test puts broken ones in their place. */
export interface Parts {
  readonly createRootCore: typeof createRootCore;
  readonly createClusterCore: typeof createClusterCore;
  readonly createWorkerCore: typeof createWorkerCore;
  readonly createPump: typeof createPump;
}

export const PRODUCT: Parts = { createRootCore, createClusterCore, createWorkerCore, createPump };
