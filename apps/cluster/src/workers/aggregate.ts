import type { MemberFacts } from '@oakestra/contracts';

/** What a cluster offers: sums and means over the workers that are there (cluster-protocol 7.2). */
export function aggregateFacts(workers: readonly MemberFacts[]): MemberFacts {
  const sum = (pick: (facts: MemberFacts) => number): number =>
    workers.reduce((total, facts) => total + pick(facts), 0);
  const mean = (pick: (facts: MemberFacts) => number): number =>
    workers.length === 0 ? 0 : sum(pick) / workers.length;
  const largest = (pick: (facts: MemberFacts) => number): number => Math.max(0, ...workers.map(pick));
  const union = (pick: (facts: MemberFacts) => readonly string[]): string[] =>
    [...new Set(workers.flatMap(pick))].sort();
  return {
    type: 'facts',
    vcpus: sum((facts) => facts.vcpus),
    memoryTotalMib: sum((facts) => facts.memoryTotalMib),
    memoryAvailableMib: sum((facts) => facts.memoryAvailableMib),
    cpuPercent: Math.round(mean((facts) => facts.cpuPercent)),
    memoryPercent: Math.round(mean((facts) => facts.memoryPercent)),
    activeWorkers: workers.length,
    virtualization: union((facts) => facts.virtualization),
    architectures: union((facts) => facts.architectures),
    largestWorkerMemoryMib: largest((facts) => facts.largestWorkerMemoryMib),
    largestWorkerVcpus: largest((facts) => facts.largestWorkerVcpus),
  };
}

/** Are the two so different that the root should hear of it before the next regular report? */
export function differsNotably(before: MemberFacts | undefined, after: MemberFacts): boolean {
  if (before === undefined) return true;
  const figures = (facts: MemberFacts): string =>
    JSON.stringify([
      facts.vcpus,
      facts.memoryTotalMib,
      facts.activeWorkers,
      facts.virtualization,
      facts.architectures,
      facts.largestWorkerMemoryMib,
      facts.largestWorkerVcpus,
    ]);
  return (
    figures(before) !== figures(after) ||
    Math.abs(before.cpuPercent - after.cpuPercent) >= 10 ||
    Math.abs(before.memoryPercent - after.memoryPercent) >= 5
  );
}
