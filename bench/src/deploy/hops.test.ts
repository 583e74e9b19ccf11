import { describe, expect, it } from 'vitest';
import { hopRows, parseLog, timelineOf } from './hops.ts';

const at = (ms: number): string => new Date(1_000_000 + ms).toISOString();

describe('where the time of a deployment goes', () => {
  const text = [
    JSON.stringify({ time: at(-5), component: 'root', message: 'command sent', type: 'remove' }),
    JSON.stringify({ time: at(9), component: 'root', message: 'command sent', type: 'deploy' }),
    'a line of another program',
    JSON.stringify({ time: at(40), component: 'worker', message: 'runtime step ended', step: 'snapshot' }),
    JSON.stringify({ time: at(41), component: 'worker', message: 'runtime step ended', step: 'snapshot' }),
    JSON.stringify({ time: at(200), component: 'root', message: 'too late' }),
  ].join('\n');

  it('is read from the logs, the first time of each event within the deployment', () => {
    const timeline = timelineOf(parseLog(text), { fromMs: 1_000_000, toMs: 1_000_100 });
    expect([...timeline]).toEqual([
      ['root: command sent: deploy', 9],
      ['worker: runtime step ended: snapshot', 40],
      ['user: RUNNING seen', 100],
    ]);
  });

  it('shows in order what happened in most deployments', () => {
    const rows = hopRows([
      new Map([
        ['b', 10],
        ['a', 4],
      ]),
      new Map([
        ['b', 30],
        ['a', 2],
        ['rare', 1],
      ]),
      new Map([
        ['b', 20],
        ['a', 3],
      ]),
    ]);
    expect(rows).toEqual([
      ['a', '3.0'],
      ['b', '20.0'],
    ]);
  });
});
