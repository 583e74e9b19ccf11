import { setTimeout as delay } from 'node:timers/promises';
import type { Table } from '../report.ts';
import { median } from '../statistics.ts';
import type { System } from '../system/index.ts';
import type { Deployment } from './deployment.ts';

const PAUSE_MS = 500;

/** Where the time of a deployment goes, from what the daemons log at level debug. */
export async function measureHops({
  system,
  deployment,
  runs,
}: {
  readonly system: System;
  readonly deployment: Deployment;
  readonly runs: number;
}): Promise<Table> {
  await system.restart('debug');
  const spans: { readonly fromMs: number; readonly toMs: number }[] = [];
  for (let run = 0; run < runs + 3; run += 1) {
    await deployment.deploy();
    // The first ones load code and open connections.
    if (run >= 3) spans.push(deployment.lastSpan());
    await deployment.undeploy();
    // What the tiers tell each other about the end must not stand between the hops of the next one.
    await delay(PAUSE_MS);
  }
  const [above, below] = await Promise.all([system.controlPlane().output(), system.worker().output()]);
  const lines = parseLog(`${above}\n${below}`);
  const timelines = spans.map((span) => timelineOf(lines, span));
  return {
    title: `Where the time goes, ms after POST (median of ${runs}, logged at level debug)`,
    rows: hopRows(timelines),
  };
}

export interface LogEntry {
  readonly atMs: number;
  /** Component and message. */
  readonly name: string;
}

/** One deployment: what was logged, in ms after its beginning. */
export type Timeline = ReadonlyMap<string, number>;

export function parseLog(text: string): LogEntry[] {
  return text.split('\n').flatMap((line) => {
    try {
      const { time, component, message, step, type } = JSON.parse(line) as Readonly<Record<string, string>>;
      const what = [message, step ?? type].filter((word) => word !== undefined).join(': ');
      return [{ atMs: Date.parse(time ?? ''), name: `${component}: ${what}` }];
    } catch {
      return [];
    }
  });
}

/** The first occurrence of each message within the span, and its end. */
export function timelineOf(
  entries: readonly LogEntry[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Timeline {
  const timeline = new Map<string, number>();
  for (const { atMs, name } of [...entries].sort((a, b) => a.atMs - b.atMs)) {
    if (atMs < fromMs || atMs > toMs || timeline.has(name)) continue;
    timeline.set(name, atMs - fromMs);
  }
  timeline.set('user: RUNNING seen', toMs - fromMs);
  return timeline;
}

/** What happened in most deployments, in the order of the medians. */
export function hopRows(timelines: readonly Timeline[]): string[][] {
  const times = new Map<string, number[]>();
  for (const timeline of timelines) {
    for (const [name, atMs] of timeline) times.set(name, [...(times.get(name) ?? []), atMs]);
  }
  return [...times]
    .filter(([, values]) => values.length > timelines.length / 2)
    .map(([name, values]) => ({ name, atMs: median(values) }))
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ name, atMs }) => [name, atMs.toFixed(1)]);
}
