import { OakestraError, Sensitive } from '@oakestra/contracts';
import { seededRandom, systemClock } from '@oakestra/daemon';
import { describe, expect, it } from 'vitest';
import { parseImageReference } from '../../images/reference.ts';
import type { ImageProgress } from '../../runtime.ts';
import type { ContainerdConnection } from '../containerd-connection.ts';
import { StreamInit } from '../gen/containerd/streaming.gen.ts';
import type { TransferRequest } from '../gen/containerd/transfer.gen.ts';
import {
  AuthRequest,
  AuthResponse,
  ImageStore,
  OCIRegistry,
  Progress,
} from '../gen/containerd/transfer-types.gen.ts';
import type { Any } from '../gen/google/protobuf/any.gen.ts';
import type { PullLease } from './pull-lease.ts';
import { isExpressible, pullByTransfer } from './transfer-pull.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** Messages in the order in which they were put in; ends when closed. */
function createQueue<T>() {
  const items: T[] = [];
  const waiting: (() => void)[] = [];
  let isClosed = false;
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return {
    put(item: T) {
      items.push(item);
      wake();
    },
    close() {
      isClosed = true;
      wake();
    },
    async *read(): AsyncGenerator<T, void> {
      for (;;) {
        const [item] = items.splice(0, 1);
        if (item !== undefined) yield item;
        else if (isClosed) return;
        else await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

interface Stream {
  readonly toClient: ReturnType<typeof createQueue<Any>>;
  readonly fromClient: AsyncGenerator<Any, void>;
}

/** A containerd whose transfer service does what the test says, with the streams that were opened. */
function fakeConnection(
  transfer: (request: TransferRequest, streams: ReadonlyMap<string, Stream>) => Promise<void>,
) {
  const streams = new Map<string, Stream>();
  const connection = {
    socketPath: '/run/fake.sock',
    namespace: 'test',
    async unary(_service: unknown, _method: unknown, request: TransferRequest) {
      await transfer(request, streams);
      return {};
    },
    duplex(_service: unknown, _method: unknown, { signal }: { signal: AbortSignal }) {
      const toClient = createQueue<Any>();
      const sent = createQueue<Any>();
      signal.addEventListener('abort', () => toClient.close());
      let isOpen = false;
      return {
        async send(message: Any) {
          if (isOpen) return sent.put(message);
          isOpen = true;
          streams.set(StreamInit.decode(message.value).id, { toClient, fromClient: sent.read() });
          toClient.put({ typeUrl: 'google.protobuf.Empty', value: new Uint8Array() });
        },
        end: () => undefined,
        cancel: () => toClient.close(),
        responses: toClient.read(),
      };
    },
  };
  return connection as unknown as ContainerdConnection;
}

function pull(connection: ContainerdConnection, progress: ImageProgress[] = []) {
  return pullByTransfer(
    {
      reference: parseImageReference('registry.example/team/app:1'),
      root: { mediaType: '', digest: DIGEST, size: 0 },
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      imageName: 'registry.example/team/app:1',
      credentials: { username: 'ann', password: new Sensitive('s3cret') },
      signal: new AbortController().signal,
      onProgress: (step) => progress.push(step),
    },
    {
      connection,
      snapshotter: 'overlayfs',
      lease: { id: 'lease' } as PullLease,
      clock: systemClock(),
      random: seededRandom(1),
      registries: {},
      isHostPlatform: true,
    },
  );
}

async function ask(stream: Stream | undefined, host: string): Promise<AuthResponse> {
  if (stream === undefined) throw new Error('no such stream');
  const value = AuthRequest.encode({ host, reference: '' }).finish();
  stream.toClient.put({ typeUrl: 'containerd.types.transfer.AuthRequest', value });
  const answer = await stream.fromClient.next();
  if (answer.done === true) throw new Error('no answer');
  expect(answer.value.typeUrl).toBe('containerd.types.transfer.AuthResponse');
  return AuthResponse.decode(answer.value.value);
}

describe('pullByTransfer', () => {
  it('names the image by its digest, and where to unpack it for which platform', async () => {
    const outcome = await pull(
      fakeConnection(async ({ source, destination }) => {
        expect(source?.typeUrl).toBe('containerd.types.transfer.OCIRegistry');
        const name = `registry.example/team/app@${DIGEST}`;
        expect(OCIRegistry.decode(source?.value ?? new Uint8Array()).reference).toBe(name);
        expect(destination?.typeUrl).toBe('containerd.types.transfer.ImageStore');
        const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
        expect(ImageStore.decode(destination?.value ?? new Uint8Array())).toEqual({
          name,
          labels: { 'oakestra.io/image': DIGEST },
          platforms: [platform],
          unpacks: [{ platform, snapshotter: 'overlayfs' }],
        });
      }),
    );
    expect(outcome).toEqual({ kind: 'done' });
  });

  it('gives the credentials to questions about the registry of the image, and to no other', async () => {
    const outcome = await pull(
      fakeConnection(async ({ source }, streams) => {
        const id = OCIRegistry.decode(source?.value ?? new Uint8Array()).resolver?.authStream ?? '';
        const other = await ask(streams.get(id), 'elsewhere.example');
        expect(other).toMatchObject({ authType: 0, username: '', secret: '' });
        const own = await ask(streams.get(id), 'registry.example');
        expect(own).toMatchObject({ authType: 1, username: 'ann', secret: 's3cret' });
      }),
    );
    expect(outcome).toEqual({ kind: 'done' });
  });

  it('adds up the progress of all parts', async () => {
    const progress: ImageProgress[] = [];
    await pull(
      fakeConnection(async ({ options }, streams) => {
        const stream = streams.get(options?.progressStream ?? '');
        for (const [event, name, done, total] of [
          ['downloading', 'layer-a', 5, 10],
          ['Resolving', '', 0, 0],
          ['complete', 'layer-a', 10, 10],
          ['already exists', 'layer-b', 0, 30],
        ] as const) {
          const value = Progress.encode({ event, name, parents: [], progress: done, total }).finish();
          stream?.toClient.put({ typeUrl: 'containerd.types.transfer.Progress', value });
        }
        await new Promise((resolve) => setImmediate(resolve));
      }),
      progress,
    );
    expect(progress.map(({ doneBytes, totalBytes }) => [doneBytes, totalBytes])).toEqual([
      [5, 10],
      [10, 10],
      [40, 40],
    ]);
  });

  it('says that it is not possible with an older containerd', async () => {
    const outcome = await pull(
      fakeConnection(async () => {
        throw new OakestraError('unsupported', 'containerd-unsupported', 'unknown service');
      }),
    );
    expect(outcome).toEqual({ kind: 'not-possible' });
  });

  it('reports a failure for the other way to be tried', async () => {
    const error = new OakestraError('internal', 'containerd-failed', 'text for people');
    const outcome = await pull(fakeConnection(() => Promise.reject(error)));
    expect(outcome).toEqual({ kind: 'failed', error });
  });
});

describe('isExpressible', () => {
  it.each([
    ['registry.example', {}, true],
    ['registry.example', { credentials: { username: 'a', password: new Sensitive('b') } }, true],
    ['registry.example', { caPem: 'pem' }, false],
    ['registry.example', { mirrors: ['mirror.example'] }, false],
    ['registry.example', { plainHttp: true }, false],
    ['localhost:5000', {}, false],
    ['localhost:5000', { plainHttp: false }, true],
  ])('%s with %j: %s', (registry, settings, expected) => {
    expect(isExpressible(registry, { [registry]: settings })).toBe(expected);
  });
});
