import type { OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';

/** Says once that writing fails, and once that it works again. */
export interface HealthLog {
  /** What became of a write. */
  note(error: OakestraError | undefined): void;
}

/** `facts` name the store in each line. */
export function createHealthLog(logger: Logger, facts: Readonly<Record<string, string>>): HealthLog {
  let failedSince: string | undefined;
  return {
    note(error) {
      const isFault = error !== undefined && (error.kind === 'exhausted' || error.kind === 'unavailable');
      if (isFault && failedSince !== error.code) {
        failedSince = error.code;
        logger.error(error.message, { code: error.code, ...error.details });
      } else if (error === undefined && failedSince !== undefined) {
        failedSince = undefined;
        logger.info('the store writes again', facts);
      }
    },
  };
}
