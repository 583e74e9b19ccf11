import { converge } from './converge.ts';
import { CHANGES, type FaultMemory, LOSSES, ORDINARY } from './faults.ts';
import { CONTAINER_FAULTS, NO_CONTAINER_FAULTS } from './nodes/containers.ts';
import type { Parts } from './nodes/parts.ts';
import type { LinkFaults } from './virtual/link.ts';
import { createWorld, NO_FAULTS, type World } from './world.ts';

export interface RunResult {
  readonly seed: number;
  readonly failures: readonly string[];
  readonly log: readonly string[];
}

/** Everything that had failed and everything that was wrong must be right again by then. */
const LIMIT_MS = 300_000;
/** Design 3, "Ownership", 4: exactly once within this time of reunion, when nothing is lost any more. */
const REUNION_MS = 5000;

/** One random world: users come and go, things break, everything heals, and then the promises must hold. */
export function runSeed(
  seed: number,
  options: { readonly isTracing?: boolean; readonly parts?: Partial<Parts> } = {},
): RunResult {
  // A third loses stores; another third loses nothing and must be back in time; in the others services are changed.
  const isPrompt = seed % 3 === 1;
  const faults = [CHANGES, ORDINARY, LOSSES][seed % 3] ?? ORDINARY;
  const world = createWorld({
    ...options,
    seed,
    clusterCount: 1 + (seed % 2),
    workersPerCluster: 1 + (Math.floor(seed / 2) % 4),
    faults: isPrompt ? NO_FAULTS : linkFaultsOf(seed),
    containerFaults: isPrompt ? NO_CONTAINER_FAULTS : CONTAINER_FAULTS,
  });
  world.run(3000);
  for (let service = 0; service < world.serviceCount; service += 1) world.request(service);
  const memory: FaultMemory = { backups: new Map() };
  const steps = 15 + world.random.below(20);
  for (let step = 0; step < steps; step += 1) {
    world.run(world.random.pick([50, 300, 1000, 4000, 8000]));
    world.random.pick(faults)(world, memory);
  }
  return { seed, failures: judge(world, isPrompt), log: world.log };
}

function judge(world: World, isPrompt: boolean): readonly string[] {
  world.watch.trace('everything works again');
  world.healEverything();
  const { tookMs, failures } = converge(world, {
    withinMs: LIMIT_MS,
    stepMs: isPrompt ? 250 : 1000,
    // What was lost is found by the next digest.
    settleMs: isPrompt ? 5000 : 35_000,
    quietMs: 35_000,
  });
  const isLate = isPrompt && tookMs !== undefined && tookMs > REUNION_MS;
  return [
    ...world.watch.violations,
    ...failures,
    ...(isLate ? [`it took ${tookMs} ms until everything was right again`] : []),
  ];
}

function linkFaultsOf(seed: number): LinkFaults {
  return { loss: 0.02, duplication: 0.02, maxLatencyMs: seed % 5 === 0 ? 200 : 20, keepsDuringCut: false };
}
