import type { ServiceDocument } from '@oakestra/contracts';
import type { RolloutState } from './rollout.ts';

/** A service as the root keeps it. Replaced, never changed in place. */
export interface ServiceRecord {
  readonly id: string;
  readonly ownerUserId: string;
  readonly document: ServiceDocument;
  readonly nextInstanceNumber: number;
  /** Of a global service that clusters were told to run; the highest one holds. */
  readonly assignmentVersion?: number;
  /** Absent: it was never changed. */
  readonly rollout?: RolloutState;
}
