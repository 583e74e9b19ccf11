import type { Epoch, ServiceDocument } from '@oakestra/contracts';

export interface Container {
  epoch: Epoch;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
  /** Ignores the request to end, until it is killed. */
  readonly isStubborn: boolean;
  isRunning: boolean;
  exitCode: number;
}
