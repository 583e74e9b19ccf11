import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineSettings, type ProcessPort, settingType } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runTier } from './run-tier.ts';
import type { DaemonContext, Machine, Tier } from './tier.ts';

const settings = defineSettings({
  apiPort: { type: settingType.port(), default: 1234, description: 'A port.' },
});

let directory: string;
let printed: string[];
let complaints: string[];
let listeners: Map<string, () => void>;
let machine: Machine;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-tier-'));
  [printed, complaints, listeners] = [[], [], new Map()];
  const process: ProcessPort = {
    on: (event, listener) => listeners.set(event, () => listener(undefined)),
    exit: () => {},
  };
  machine = {
    env: { OAKESTRA_CONFIG: '' },
    print: (text) => void printed.push(text),
    printError: (text) => void complaints.push(text),
    loadBundle: () => ({}),
    tellParent: () => {},
    process,
  };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fakeTier(
  compose: (context: DaemonContext & { settings: { apiPort: number } }) => void,
): Tier<typeof settings> {
  return { role: 'root', summary: 'A test.', settings, compose };
}
const quiet = ['--log-level', 'error'];

describe('the program of a tier', () => {
  it.each([
    ['--help', 'Usage: oakestra root'],
    ['--version', 'oakestra '],
    ['--print-config', 'apiPort'],
  ])('answers %s without composing anything', async (flag, text) => {
    const compose = vi.fn();
    expect(await runTier(fakeTier(compose), [flag], machine)).toBe(0);
    expect(printed.join('')).toContain(text);
    expect(compose).not.toHaveBeenCalled();
  });

  it('shows its help although other settings are wrong', async () => {
    expect(await runTier(fakeTier(vi.fn()), ['--api-port', 'x', '--help'], machine)).toBe(0);
  });

  it('says which setting is wrong, and ends with 2', async () => {
    expect(await runTier(fakeTier(vi.fn()), ['--api-port', 'x'], machine)).toBe(2);
    expect(complaints.join('')).toMatch(/apiPort must be a whole number.*--api-port/);
  });

  it('runs what it composed until SIGTERM, with its settings', async () => {
    const stopped = vi.fn();
    const started = deferred();
    const running = runTier(
      fakeTier(({ lifecycle, settings: given }) => {
        lifecycle.add('part', {
          start() {
            started.resolve(given.apiPort);
            return stopped;
          },
        });
      }),
      ['--api-port', '77', ...quiet],
      machine,
    );
    expect(await started.promise).toBe(77);
    expect(stopped).not.toHaveBeenCalled();
    listeners.get('SIGTERM')?.();
    expect(await running).toBe(0);
    expect(stopped).toHaveBeenCalledOnce();
  });

  it('stops in order and ends with 1 when a part cannot go on', async () => {
    const stopped = vi.fn();
    const exitCode = await runTier(
      fakeTier(({ lifecycle, onFatal }) => {
        lifecycle.add('part', {
          start() {
            setImmediate(() => onFatal(new Error('the disk is gone')));
            return stopped;
          },
        });
      }),
      quiet,
      machine,
    );
    expect(exitCode).toBe(1);
    expect(stopped).toHaveBeenCalledOnce();
  });
});

describe('something that a tier does beside running', () => {
  const contexts: unknown[] = [];
  const tier: Tier<typeof settings> = {
    ...fakeTier(vi.fn()),
    actions: {
      backup: {
        operand: 'FILE',
        summary: 'Writes a copy.',
        async run(operand, { settings: given }) {
          if (operand === '/full') throw new Error('no space left on device');
          contexts.push([operand, given.apiPort]);
          return 'Done.';
        },
      },
    },
  };

  it('is done with its operand and the settings', async () => {
    expect(await runTier(tier, ['backup', '/x', '--api-port', '7'], machine)).toBe(0);
    expect(contexts).toEqual([['/x', 7]]);
    expect(printed).toEqual(['Done.\n']);
  });

  it('says in one sentence why it was not done', async () => {
    expect(await runTier(tier, ['backup', '/full'], machine)).toBe(1);
    expect(complaints).toEqual(['oakestra: no space left on device\n']);
  });

  it('needs its operand, and is in the help', async () => {
    expect(await runTier(tier, ['backup'], machine)).toBe(2);
    expect(await runTier(tier, ['backup', '--api-port', '7'], machine)).toBe(2);
    expect(complaints[0]).toBe('Usage: oakestra root backup FILE [flags]\n');
    await runTier(tier, ['--help'], machine);
    expect(printed.join('')).toContain('oakestra root backup FILE\n      Writes a copy.');
  });
});

function deferred() {
  let resolve: (value: number) => void = () => {};
  const promise = new Promise<number>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
