import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { median } from '../statistics.ts';

/** How busy the machine was while something was measured: figures of a busy machine say little. */
export interface LoadWatch {
  /** Ends the watch; the circumstances in words. */
  finish(): Readonly<Record<string, string>>;
}

const SAMPLE_EVERY_MS = 1000;

export function watchLoad(): LoadWatch {
  const before = readLoad();
  const running: number[] = [];
  const timer = setInterval(() => running.push(readLoad().running), SAMPLE_EVERY_MS);
  timer.unref();
  return {
    finish() {
      clearInterval(timer);
      const after = readLoad();
      return {
        machine: `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`,
        'load average (1 min)': `${before.average} before, ${after.average} after`,
        'runnable processes, this one included':
          running.length === 0 ? 'not sampled' : `median ${median(running)}`,
      };
    },
  };
}

function readLoad(): { readonly average: string; readonly running: number } {
  const [average = '', , , processes = ''] = readFileSync('/proc/loadavg', 'utf8').split(' ');
  return { average, running: Number(processes.split('/')[0]) };
}
