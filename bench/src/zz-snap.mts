import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { runInOwnNetwork, startSystem } from './system/index.ts';

if ((await runInOwnNetwork()) === undefined) {
  const s = await startSystem();
  try {
    await delay(6000);
    for (const [p, n] of [
      [s.worker(), 'worker'],
      [s.controlPlane(), 'up'],
    ] as const) {
      p.signal('SIGUSR2');
      while (!existsSync(`/tmp/snap-${n}.done`)) await delay(200);
    }
  } finally {
    await s.close();
  }
  process.exit(0);
}
