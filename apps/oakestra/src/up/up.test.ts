import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineSettings, type ProcessPort, settingType } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tier as cluster } from '../cluster-bundle.ts';
import { tier as root } from '../root-bundle.ts';
import type { Machine, Tier } from '../tier.ts';
import { run } from '../up-bundle.ts';
import { runningProcess } from './pid-file.ts';

const workerSettings = defineSettings({
  name: { type: settingType.text(), default: 'w1', description: 'Name.' },
  stateDirectory: { type: settingType.text(), default: '/nowhere', description: 'State.' },
  tlsDirectory: { type: settingType.text(), isOptional: true, description: 'TLS.' },
});

let directory: string;
let printed: string[];
let complaints: string[];
let listeners: Map<string, () => void>;
let told: unknown[];
let purge: ReturnType<typeof vi.fn<() => Promise<readonly string[]>>>;
let ports: number[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-up-'));
  [printed, complaints, told, listeners] = [[], [], [], new Map()];
  purge = vi.fn(async () => []);
  ports = await freePorts(4);
});
afterEach(() => {
  listeners.get('SIGTERM')?.();
  rmSync(directory, { recursive: true, force: true });
});

/** The real root and cluster, and a worker that does nothing. */
function machine(onStarted: () => void = () => {}): Machine {
  const worker: Tier<typeof workerSettings> & { purge: typeof purge } = {
    role: 'worker',
    summary: '',
    settings: workerSettings,
    compose: ({ lifecycle }) => lifecycle.add('worker', { start: () => {} }),
    purge,
  };
  const tiers: Record<string, unknown> = { root, cluster, worker };
  const port: ProcessPort = {
    on: (event, listener) => listeners.set(event, () => listener(undefined)),
    exit: () => {},
  };
  return {
    env: {},
    print: (text) => void printed.push(text),
    printError: (text) => void complaints.push(text),
    loadBundle: (name) => ({ tier: tiers[name] }),
    tellParent(message) {
      told.push(message);
      onStarted();
    },
    process: port,
  };
}

const state = () => join(directory, 'state');
const upFlags = () => [
  ...['--state-directory', state(), '--listen', '127.0.0.1', '--log-level', 'error'],
  ...['--root-api-port', `${ports[0]}`, '--root-cluster-port', `${ports[1]}`],
  ...['--cluster-api-port', `${ports[2]}`, '--cluster-mqtt-port', `${ports[3]}`],
];

/** Runs `up`, and gives the function that stops it. */
async function startUp(...flags: string[]): Promise<() => Promise<number>> {
  let onStarted = () => {};
  const started = new Promise<void>((resolve) => {
    onStarted = resolve;
  });
  const ended = run(['up', ...upFlags(), ...flags], machine(onStarted));
  const own = listeners;
  const early = await Promise.race([started, ended]);
  if (early !== undefined) throw new Error(`up ended with ${early} instead of starting`);
  return () => {
    own.get('SIGTERM')?.();
    return ended;
  };
}
const down = (...flags: string[]) => run(['down', '--state-directory', state(), ...flags], machine());

describe('oakestra up', () => {
  it('issues the certificates, starts the tiers from the top, and says who it is', async () => {
    const stop = await startUp();
    expect(runningProcess(join(state(), 'oakestra.pid'))?.pid).toBe(process.pid);
    for (const role of ['root', 'cluster', 'worker']) {
      expect(existsSync(join(state(), role, 'tls/cert.pem')), role).toBe(true);
    }
    const answer = await fetch(`http://127.0.0.1:${ports[0]}/status`);
    expect(answer.status).toBe(200);
    expect(told).toEqual([
      {
        kind: 'started',
        stateDirectory: state(),
        rootApiPort: ports[0],
        rootStateDirectory: join(state(), 'root'),
      },
    ]);
    expect(await stop()).toBe(0);
    expect(existsSync(join(state(), 'oakestra.pid'))).toBe(false);
  }, 60_000);

  it('does not start twice on the same state', async () => {
    const stop = await startUp('--tiers', 'worker');
    const second = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    listeners = new Map();
    expect(await run(['up', ...upFlags()], machine())).toBe(1);
    expect(second.mock.calls.join('')).toContain('is in use by process');
    second.mockRestore();
    expect(runningProcess(join(state(), 'oakestra.pid'))?.pid).toBe(process.pid);
    expect(await stop()).toBe(0);
  });
});

describe('oakestra down', () => {
  it('says that nothing runs, and removes nothing', async () => {
    const stop = await startUp('--tiers', 'worker');
    await stop();
    expect(await down()).toBe(0);
    expect(printed.join('')).toContain(`No "oakestra up" runs on ${state()}`);
    expect(existsSync(join(state(), 'root/.oakestra'))).toBe(true);
    expect(purge).not.toHaveBeenCalled();
  });

  it('removes every trace with --purge, of the things that up was told to use, and again without complaint', async () => {
    const elsewhere = join(directory, 'elsewhere');
    const stop = await startUp('--tiers', 'worker', '--worker-state-directory', elsewhere);
    await stop();
    expect(await down('--purge')).toBe(0);
    expect(purge.mock.calls).toMatchObject([[{ settings: { stateDirectory: elsewhere } }]]);
    expect([existsSync(state()), existsSync(elsewhere)]).toEqual([false, false]);
    expect(await down('--purge')).toBe(0);
    expect(complaints).toEqual([]);
  });

  it('keeps the state of the worker and fails when instances could not be removed', async () => {
    const stop = await startUp('--tiers', 'worker');
    await stop();
    purge.mockResolvedValueOnce(['instances: no containerd answers']);
    expect(await down('--purge')).toBe(1);
    expect(complaints.join('')).toContain('no containerd answers');
    expect(existsSync(join(state(), 'worker/.oakestra'))).toBe(true);
    expect(await down('--purge')).toBe(0);
    expect(existsSync(state())).toBe(false);
  });

  it('does not purge under the feet of a tier that runs by itself', async () => {
    const stop = await startUp('--tiers', 'worker');
    await stop();
    const { lockStateDirectory } = await import('@oakestra/daemon');
    const lock = await lockStateDirectory(join(state(), 'worker'));
    expect(await down('--purge')).toBe(1);
    expect(purge).not.toHaveBeenCalled();
    expect(complaints.join('')).toContain('is in use by process');
    await lock.release();
    expect(existsSync(join(state(), 'root/.oakestra'))).toBe(true);
  });

  it('never removes files that are not ours', async () => {
    const stop = await startUp('--tiers', 'worker');
    await stop();
    writeFileSync(join(state(), 'notes.txt'), 'mine');
    expect(await down('--purge')).toBe(0);
    expect(existsSync(join(state(), 'notes.txt'))).toBe(true);
    expect(existsSync(join(state(), 'root'))).toBe(false);
  });
});

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          const { port } = server.address() as { port: number };
          server.close(() => resolve(port));
        }),
    ),
  );
}
