import { OakestraError } from '@oakestra/contracts';
import type { CancelTimer, Clock } from '@oakestra/daemon';

export const defaultTransactionTimeoutMs = 5_000;

/** Gives up waiting for the work of a transaction after `timeoutMs`. */
export function withTransactionDeadline<T>(clock: Clock, work: Promise<T>, timeoutMs: number): Promise<T> {
  let cancel: CancelTimer = () => {};
  const overdue = new Promise<never>((_resolve, reject) => {
    cancel = clock.setTimer(timeoutMs, () => {
      const text = `A transaction was undone because it took longer than ${timeoutMs} ms. Wait for nothing but \`tx\` inside.`;
      reject(new OakestraError('timeout', 'store-transaction-timeout', text));
    });
  });
  return Promise.race([work, overdue]).finally(() => cancel());
}
