import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchLog } from './log-file.mjs';

/** @type {string} */
let directory;
/** @type {string} */
let log;
beforeEach(() => {
  vi.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), 'oakestra-log-'));
  log = join(directory, 'up.log');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

const line = (/** @type {string} */ message) =>
  `${JSON.stringify({ time: 't', level: 'warn', component: 'root', message, extra: 1 })}\n`;

describe('looking on at a log', () => {
  it('shows what is written from now on, whole lines only', () => {
    writeFileSync(log, line('before'));
    /** @type {string[]} */
    const seen = [];
    const watch = watchLog(log, ({ message }) => seen.push(message));
    appendFileSync(log, line('one') + line('two').slice(0, 20));
    vi.advanceTimersByTime(300);
    expect(seen).toEqual(['one']);
    appendFileSync(log, line('two').slice(20));
    watch.stop();
    expect(seen).toEqual(['one', 'two']);
  });

  it('shows what is no log line as an error: the last words of a process that broke down', () => {
    /** @type {unknown[]} */
    const seen = [];
    const watch = watchLog(log, (parsed) => seen.push(parsed));
    writeFileSync(log, 'FATAL ERROR: out of memory\n');
    watch.stop();
    expect(seen).toEqual([
      { level: 'error', component: '', message: 'FATAL ERROR: out of memory', fields: {} },
    ]);
  });

  it('keeps it from growing for ever', () => {
    const watch = watchLog(log, () => {});
    writeFileSync(log, `${'x'.repeat(21 * 1024 * 1024)}\n`);
    vi.advanceTimersByTime(300);
    watch.stop();
    expect(statSync(log).size).toBe(0);
    expect(existsSync(`${log}.1`)).toBe(true);
  });
});
