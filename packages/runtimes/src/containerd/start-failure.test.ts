import { OakestraError } from '@oakestra/contracts';
import { expect, it } from 'vitest';
import { runtimeTimeout } from '../runtime-errors.ts';
import { startFailure } from './start-failure.ts';

const attempt = { id: 'shop', image: 'docker.io/library/shop:1', command: 'serve', memoryMib: 8 };
const runc =
  'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ';
const explain = (text: string) =>
  startFailure(new OakestraError('internal', 'containerd-failed', `Tasks/Create: ${text}`), attempt);

it.each([
  [`${runc}exec: "serve": executable file not found in $PATH: unknown`, 'command-not-found', '"serve"'],
  [`${runc}exec: "serve": stat serve: no such file or directory: unknown`, 'command-not-found', 'shop:1'],
  [`${runc}exec: "serve": permission denied: unknown`, 'command-not-executable', '"serve"'],
  [`${runc}exec: "serve": is a directory: unknown`, 'command-not-executable', '"serve"'],
  [
    `${runc}chdir to cwd ("/srv") set in config.json failed: permission denied: unknown`,
    'working-directory-unusable',
    '/srv',
  ],
  [`${runc}container init was OOM-killed (memory limit too low?): unknown`, 'out-of-memory', '8 MiB'],
  ['write /var/lib/x: no space left on device', 'disk-full', 'disk'],
  ['fork/exec /usr/sbin/runc: resource temporarily unavailable', 'too-many-processes', 'processes'],
  [`${runc}lstat /run/netns/a: no such file or directory: unknown`, 'host-path-missing', '/run/netns/a'],
])('explains %s', (text, code, part) => {
  expect(explain(text)).toMatchObject({ code, message: expect.stringContaining(part) });
});

it('does not blame the image when runc itself is missing', () => {
  const failure = explain(
    'OCI runtime create failed: exec: "runc": executable file not found in $PATH: unknown',
  );
  expect(failure.code).toBe('runtime-failed');
  expect(failure.message).toContain('"runc"');
});

it('keeps the innermost words of what it does not know', () => {
  const failure = explain(`${runc}the moon is full: unknown`);
  expect(failure.message).toBe('Starting instance shop failed: the moon is full');
  expect(failure.cause).toBeInstanceOf(OakestraError);
});

it('passes on what is explained already', () => {
  const timeout = runtimeTimeout('containerd', 'Tasks/Create');
  expect(startFailure(timeout, attempt)).toBe(timeout);
});
