import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ratesBetween, readCounters, readMemory } from './footprint/process-usage.ts';
import { runInOwnNetwork, startSystem } from './system/index.ts';

if ((await runInOwnNetwork()) === undefined) {
  const s = await startSystem();
  const show = (n: string) => {
    const m = readMemory(s.worker().pid),
      c = readMemory(s.controlPlane().pid);
    console.log(
      n.padEnd(14),
      'worker',
      m.residentMib.toFixed(1),
      m.privateMib.toFixed(1),
      ' control',
      c.residentMib.toFixed(1),
      c.privateMib.toFixed(1),
    );
  };
  try {
    show('start');
    await delay(+(process.env.LAB_IDLE ?? 10) * 1000);
    show('idle');
    const id = await s.api.createService({ name: 'q', code: s.image.reference, memory: 32, vcpus: 1 });
    for (let i = 0; i < 20; i++) await s.api.deploy(id);
    for (;;) {
      const l = await s.api.instances(id);
      if (l.filter((x) => x.status === 'RUNNING').length === 20) break;
      await delay(200);
    }
    show('20 running');
    await delay(15000);
    const b = readCounters(s.worker().pid);
    await delay(+(process.env.LAB_WINDOW ?? 20) * 1000);
    show('20 settled');
    console.log(ratesBetween(b, readCounters(s.worker().pid)));
    if (process.env.NODE_OPTIONS?.includes('lab.cjs')) {
      for (const p of [s.worker(), s.controlPlane()]) p.signal('SIGUSR2');
      await delay(3500);
      show('after gc');
      for (const n of ['worker', 'up']) console.log(readFileSync(`/tmp/lab-${n}.json`, 'utf8'));
    }
  } finally {
    await s.close();
  }
  process.exit(0);
}
