import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Real processes, because signals, exit codes and what keeps a process alive are the subject.
let directory: string;
let program: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'oak-run-'));
  program = join(directory, 'daemon.cjs');
  const source = join(directory, 'daemon.ts');
  writeFileSync(
    source,
    `import { createLifecycle, createLogger, runUntilSignal, systemClock } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
    const mode = process.argv[2];
    const clock = systemClock();
    const logger = createLogger({ format: 'json' });
    const say = (text: string) => process.stdout.write(text + '\\n');
    const lifecycle = createLifecycle({ logger, clock, stopTimeoutMs: 1000, partStopTimeoutMs: 300 });
    lifecycle.add('alive', { start() { const t = setInterval(() => {}, 1000); return () => { if (mode !== 'lingering') clearInterval(t); say('alive stopped'); }; } });
    lifecycle.add('work', { async start(signal) {
      if (mode === 'broken') throw new Error('port taken');
      if (mode === 'slow-start') { say('starting'); await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))); }
      return mode === 'hanging' ? () => { say('stop begins'); return new Promise(() => {}); } : () => new Promise((done) => setTimeout(done, 50));
    } });
    void runUntilSignal({ lifecycle, logger, clock, onStarted: () => {
      say('ready');
      if (mode === 'rejecting') void Promise.reject(new Error('nobody waits for me'));
      if (mode === 'throwing') setTimeout(() => { throw new Error('nobody catches me'); }, 1);
    } });`,
  );
  await build({
    entryPoints: [source],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['yaml'],
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function run(mode: string, react: (output: string, kill: (signal: NodeJS.Signals) => void) => void) {
  const child = spawn(process.execPath, [program, mode], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
    react(String(chunk), (signal) => child.kill(signal));
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 10_000);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal])),
  );
  clearTimeout(watchdog);
  return { code, signal, stdout, stderr };
}

const onReady = (signal: NodeJS.Signals) => (output: string, kill: (signal: NodeJS.Signals) => void) => {
  if (output.includes('ready')) kill(signal);
};

describe('runUntilSignal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('stops in order on %s and ends with 0', async (signal) => {
    const result = await run('plain', onReady(signal));
    expect(result).toMatchObject({ code: 0, signal: null, stdout: 'ready\nalive stopped\n' });
    expect(result.stderr).toContain(`"message":"stopped","reason":"received ${signal}"`);
  });

  it('ends with 1 when the start fails, after stopping what ran', async () => {
    const result = await run('broken', () => {});
    expect(result).toMatchObject({ code: 1, stdout: 'alive stopped\n' });
    expect(result.stderr).toContain('port taken');
  });

  it('can be stopped while it starts', async () => {
    const result = await run('slow-start', (output, kill) => {
      if (output.includes('starting')) kill('SIGTERM');
    });
    expect(result).toMatchObject({ code: 0, stdout: 'starting\nalive stopped\n' });
  });

  it.each([
    ['rejecting', 'unhandled rejection', 'nobody waits for me'],
    ['throwing', 'uncaught exception', 'nobody catches me'],
  ])('ends with 1 after an orderly stop: %s', async (mode, kind, message) => {
    const result = await run(mode, () => {});
    expect(result).toMatchObject({ code: 1, stdout: 'ready\nalive stopped\n' });
    expect(result.stderr).toContain(kind);
    expect(result.stderr).toContain(message);
  });

  it('leaves a part behind that hangs, and says so', async () => {
    const result = await run('hanging', onReady('SIGTERM'));
    expect(result).toMatchObject({ code: 0, stdout: 'ready\nstop begins\nalive stopped\n' });
    expect(result.stderr).toContain('"abandoned":["work"]');
  });

  it('ends at once on a second signal', async () => {
    const result = await run('hanging', (output, kill) => {
      if (output.includes('ready')) kill('SIGTERM');
      if (output.includes('stop begins')) kill('SIGINT');
    });
    expect(result).toMatchObject({ code: 130, stdout: 'ready\nstop begins\n' });
  });

  it('ends although something forgotten keeps the process alive', async () => {
    expect(await run('lingering', onReady('SIGTERM'))).toMatchObject({ code: 0, signal: null });
  });
});
