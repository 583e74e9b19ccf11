import type { MemberFacts } from '@oakestra/contracts';

/** May something fit into a member now that did not fit before? `before` is absent for a member that is new. */
export function offersMore(before: MemberFacts | undefined, now: MemberFacts): boolean {
  if (before === undefined) return true;
  const hasNew = (list: (facts: MemberFacts) => readonly string[]): boolean =>
    list(now).some((one) => !list(before).includes(one));
  return (
    now.activeWorkers > before.activeWorkers ||
    now.vcpus > before.vcpus ||
    now.memoryTotalMib > before.memoryTotalMib ||
    now.largestWorkerVcpus > before.largestWorkerVcpus ||
    now.largestWorkerMemoryMib > before.largestWorkerMemoryMib ||
    hasNew((facts) => facts.virtualization) ||
    hasNew((facts) => facts.architectures)
  );
}
