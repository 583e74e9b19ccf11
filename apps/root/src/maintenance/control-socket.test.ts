import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@oakestra/daemon';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { askRunningRoot, openControlSocket } from './index.ts';

let folder: string;
let logged: string;
const logger = createLogger({ output: { write: (line) => (logged += line) } });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-control-'));
  logged = '';
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('passes a command to the running root, and its answer back', async () => {
  const paths: string[] = [];
  const socket = await openControlSocket({
    stateDirectory: folder,
    logger,
    commands: {
      async backup(path) {
        if (path === '/full') throw new Error('no space left on device');
        paths.push(path);
      },
    },
  });
  expect((await stat(join(folder, 'control.sock'))).mode & 0o777).toBe(0o600);
  await askRunningRoot(folder, 'backup', { path: '/x' });
  expect(paths).toEqual(['/x']);
  await expect(askRunningRoot(folder, 'backup', { path: '/full' })).rejects.toThrow(
    'no space left on device',
  );
  await socket.stop();
  await expect(askRunningRoot(folder, 'backup', { path: '/x' })).rejects.toMatchObject({
    code: 'root-not-running',
    message: expect.stringContaining('--state-directory'),
  });
});

it('takes the place of the socket that a killed root left', async () => {
  const commands = { backup: async () => {} };
  const first = await openControlSocket({ stateDirectory: folder, commands, logger });
  const second = await openControlSocket({ stateDirectory: folder, commands, logger });
  await askRunningRoot(folder, 'backup', { path: '/x' });
  await second.stop();
  await first.stop();
});

it('is done without where it is not possible', async () => {
  const socket = await openControlSocket({
    stateDirectory: join(folder, 'x'.repeat(120)),
    commands: { backup: async () => {} },
    logger,
  });
  expect(logged).toContain('cannot be backed up while it runs');
  await socket.stop();
});
