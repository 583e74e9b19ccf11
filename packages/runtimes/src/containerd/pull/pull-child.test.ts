import { PassThrough } from 'node:stream';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import { createManualClock, seededRandom, systemClock } from '@oakestra/daemon';
import { describe, expect, it } from 'vitest';
import type { ImageProgress } from '../../runtime.ts';
import { runImagePullProgram } from './image-pull-main.ts';
import { ChildCrashedError, pullInChild } from './pull-child.ts';
import {
  decodeOrder,
  decodeReport,
  encodeOrder,
  encodeReport,
  type PullOrder,
  sendableError,
} from './pull-messages.ts';

const ORDER: PullOrder = {
  socketPath: '/nowhere/containerd.sock',
  namespace: 'test',
  snapshotter: 'overlayfs',
  leaseId: 'lease',
  reference: { registry: 'registry.example', repository: 'team/app', tag: '1' },
  root: { mediaType: '', digest: `sha256:${'a'.repeat(64)}`, size: 0 },
  platform: { os: 'linux', architecture: 'amd64' },
  isHostPlatform: true,
  imageName: 'registry.example/team/app:1',
  credentials: { username: 'ann', password: new Sensitive('s3cret') },
  registries: {
    'registry.example': { caPem: 'pem', credentials: { username: 'bob', password: new Sensitive('hidden') } },
    'mirror.example': { plainHttp: true, mirrors: ['x.example'] },
  },
};

describe('messages', () => {
  it('carry an order with its secrets', () => {
    const line = encodeOrder(ORDER);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    const decoded = decodeOrder(line);
    expect(decoded.credentials?.password.reveal()).toBe('s3cret');
    expect(decoded.registries['registry.example']?.credentials?.password.reveal()).toBe('hidden');
    expect(JSON.parse(JSON.stringify(decoded))).toEqual(JSON.parse(JSON.stringify(ORDER)));
  });

  it('carry errors with kind, code, text and details', () => {
    const error = new OakestraError('not-found', 'image-not-found', 'It is not\nthere', {
      details: { registry: 'r' },
    });
    const report = decodeReport(encodeReport({ kind: 'failed', error }));
    expect(report).toMatchObject({
      kind: 'failed',
      error: {
        kind: 'not-found',
        code: 'image-not-found',
        message: 'It is not\nthere',
        details: { registry: 'r' },
      },
    });
    expect(sendableError(new TypeError('odd'))).toMatchObject({ code: 'image-pull-failed' });
  });

  it('ignore what somebody else wrote', () => {
    expect(decodeReport('warning: something')).toBeUndefined();
    expect(decodeReport('null')).toBeUndefined();
    expect(decodeReport('{"kind":"other"}')).toBeUndefined();
  });
});

describe('pullInChild', () => {
  const script = (source: string) => ({ command: process.execPath, args: ['-e', source] });
  const pull = (source: string, options: { signal?: AbortSignal; progress?: ImageProgress[] } = {}) =>
    pullInChild({
      program: script(source),
      order: ORDER,
      clock: systemClock(),
      signal: options.signal ?? new AbortController().signal,
      onProgress: (step) => options.progress?.push(step),
    });

  it('hands the order over and returns the result', async () => {
    const progress: ImageProgress[] = [];
    const image = await pull(
      `process.stdin.once('data', (line) => {
        const order = JSON.parse(line);
        console.log('some noise');
        console.log(JSON.stringify({ kind: 'progress', progress: { phase: 'downloading', doneBytes: 1, totalBytes: 2 } }));
        console.log(JSON.stringify({ kind: 'done', image: { chainId: order.credentials.password } }));
        process.exit(0);
      })`,
      { progress },
    );
    expect(image).toEqual({ chainId: 's3cret' });
    expect(progress).toEqual([{ phase: 'downloading', doneBytes: 1, totalBytes: 2 }]);
  });

  it('tells how a child ended that said nothing', async () => {
    await expect(pull('console.error("heap limit"); process.exit(3)')).rejects.toThrow(
      /exit code 3: heap limit/,
    );
    await expect(pull('process.kill(process.pid, "SIGKILL")')).rejects.toThrow(/SIGKILL/);
    const missing = pullInChild({
      program: { command: '/nowhere/program', args: [] },
      order: ORDER,
      clock: systemClock(),
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    await expect(missing).rejects.toThrow(ChildCrashedError);
    await expect(missing).rejects.toThrow(/could not be started/);
  });

  it('lets a cancelled child clean up, and is done when it is gone', async () => {
    const controller = new AbortController();
    const progress: ImageProgress[] = [];
    const pulling = pull(
      `process.stdin.resume();
      console.log(JSON.stringify({ kind: 'progress', progress: { phase: 'downloading', doneBytes: 0, totalBytes: 0 } }));
      process.stdin.on('end', () => {
        console.log(JSON.stringify({ kind: 'progress', progress: { phase: 'unpacking', doneBytes: 0, totalBytes: 0 } }));
        console.log(JSON.stringify({ kind: 'failed', error: { errorKind: 'internal', code: 'x', message: 'cancelled', details: {} } }));
      });`,
      { signal: controller.signal, progress },
    );
    while (progress.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error('undeployed'));
    await expect(pulling).rejects.toThrow('undeployed');
    expect(progress.at(-1)?.phase).toBe('unpacking');
  });

  it('kills a cancelled child that does not end', async () => {
    const clock = createManualClock();
    const controller = new AbortController();
    let isUp = false;
    const pulling = pullInChild({
      program: script(
        `setInterval(() => {}, 1000);
        console.log(JSON.stringify({ kind: 'progress', progress: { phase: 'downloading', doneBytes: 0, totalBytes: 0 } }));`,
      ),
      order: ORDER,
      clock,
      signal: controller.signal,
      onProgress: () => {
        isUp = true;
      },
    });
    const outcome = pulling.catch((error: unknown) => error);
    while (!isUp) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error('undeployed'));
    await clock.advance(10_000);
    expect(String(await outcome)).toContain('SIGKILL');
  });
});

describe('the program of the child', () => {
  const run = () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const exitCode = runImagePullProgram({ input, output, clock: systemClock(), random: seededRandom(1) });
    return { input, output, exitCode };
  };

  it('reports why it failed', async () => {
    const { input, output, exitCode } = run();
    input.write(encodeOrder(ORDER));
    expect(await exitCode).toBe(1);
    const report = decodeReport(String(output.read()));
    expect(report).toMatchObject({ kind: 'failed', error: { code: 'runtime-unavailable' } });
  });

  it('ends when its input ends', async () => {
    const { input, exitCode } = run();
    input.end();
    expect(await exitCode).toBe(1);
  });
});
