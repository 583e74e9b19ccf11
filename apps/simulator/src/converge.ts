import { verdictOf } from './judge/verdict.ts';
import type { World } from './world.ts';

export interface Convergence {
  /** Virtual time from now until everything was as it should be; undefined: never. */
  readonly tookMs: number | undefined;
  readonly failures: readonly string[];
}

/** Runs until all promises of the end hold, and looks that they stay and that it is quiet then. */
export function converge(
  world: World,
  limits: {
    readonly withinMs: number;
    readonly stepMs: number;
    /** After that, nothing is left to be said. */
    readonly settleMs: number;
    readonly quietMs: number;
  },
): Convergence {
  const startMs = world.time.nowMs();
  let failures = verdictOf(world, false);
  while (failures.length > 0 && world.time.nowMs() - startMs < limits.withinMs) {
    world.run(limits.stepMs);
    failures = verdictOf(world, false);
  }
  if (failures.length > 0) return { tookMs: undefined, failures };
  const tookMs = world.time.nowMs() - startMs;
  return { tookMs, failures: unrest(world, limits) };
}

function unrest(
  world: World,
  { settleMs, quietMs }: { readonly settleMs: number; readonly quietMs: number },
): readonly string[] {
  if (quietMs === 0) return [];
  world.run(settleMs);
  const before = world.traffic.byType();
  const chatterBefore = world.traffic.chatter();
  world.run(quietMs);
  const chatter = world.traffic.chatter() - chatterBefore;
  const failures = [...verdictOf(world, true)];
  if (chatter > 0) {
    const after = world.traffic.byType();
    const said = Object.entries(after).flatMap(([type, count]) =>
      count > (before[type] ?? 0) ? [`${count - (before[type] ?? 0)} ${type}`] : [],
    );
    failures.push(`nothing changes, and yet ${said.join(', ')} were sent within ${quietMs} ms`);
  }
  return failures;
}
