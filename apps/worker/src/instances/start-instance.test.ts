import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from '@oakestra/daemon';
import type { Image, Runtime } from '@oakestra/runtimes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalNetwork } from '../overlay/index.ts';
import { startInstance } from './start-instance.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { entryOf } from './testing/test-entries.ts';

type AttachRequest = Parameters<LocalNetwork['attach']>[0];

const ADDRESS = '10.19.0.2';
const image: Image = { pinnedReference: 'nginx@sha256:1', digest: 'sha256:1', stopSignal: 'SIGTERM' };

describe('the start of an instance', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let record: string[];
  const hostsPath = () => join(folder.path, 'hosts');

  beforeEach(async () => {
    folder = await temporaryFolder();
    record = [];
  });
  afterEach(() => folder.remove());

  /** Steps that are recorded and may fail or wait. */
  const start = (steps: {
    readonly attach: (request: AttachRequest) => Promise<void>;
    readonly prepareImage?: (signal: AbortSignal | undefined) => Promise<void>;
    readonly create?: () => Promise<void>;
  }): Promise<void> => {
    const network = {
      async attach(request: AttachRequest) {
        await steps.attach(request);
        record.push('attached');
        return { namespacePath: '/run/netns/a', address: ADDRESS };
      },
    } as unknown as LocalNetwork;
    const runtime = {
      async prepareImage(_: unknown, { signal }: { readonly signal?: AbortSignal }) {
        await steps.prepareImage?.(signal);
        record.push('image');
        return image;
      },
      async create() {
        record.push('create');
        await steps.create?.();
        record.push('created');
      },
      start: async () => void record.push('start'),
    } as unknown as Runtime;
    return startInstance({
      runtime,
      network,
      logger: createLogger({ output: { write: () => {} } }),
      entry: entryOf(),
      runtimeId: 'a',
      paths: {
        logPath: join(folder.path, 'log'),
        hostsPath: hostsPath(),
        resolvConfPath: join(folder.path, 'resolv.conf'),
        networkNamespacePath: '/run/netns/a',
      },
      given: { environment: [], files: [] },
      signal: new AbortController().signal,
      onProgress: () => {},
      onImagePinned: () => {},
    });
  };
  const untilRecorded = async (step: string): Promise<void> => {
    while (!record.includes(step)) await new Promise((resolve) => setImmediate(resolve));
  };

  it('creates the container while its network is still being configured, and starts it after that', async () => {
    await start({
      async attach({ onNamespace }) {
        onNamespace?.(ADDRESS);
        await untilRecorded('created');
        expect(await readFile(hostsPath(), 'utf8')).toContain(`${ADDRESS}\tinstance-0`);
      },
    });
    expect(record).toEqual(['image', 'create', 'created', 'attached', 'start']);
  });

  it('creates it after the network when there is no new namespace to announce', async () => {
    await start({ attach: () => untilRecorded('image') });
    expect(record).toEqual(['image', 'attached', 'create', 'created', 'start']);
    expect(await readFile(hostsPath(), 'utf8')).toContain(ADDRESS);
  });

  it('does not create without a network, nor wait for the image then', async () => {
    const failing = start({
      attach: async () => {
        throw new Error('port taken');
      },
      prepareImage: (signal) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('given up')), { once: true });
        }),
    });
    await expect(failing).rejects.toThrow('port taken');
    expect(record).toEqual([]);
  });

  it('does not start when the network fails after the container was created, nor return before that', async () => {
    const failing = start({
      async attach({ onNamespace }) {
        onNamespace?.(ADDRESS);
        await untilRecorded('create');
        throw new Error('no route');
      },
      create: () => new Promise((resolve) => setTimeout(resolve, 20)),
    });
    await expect(failing).rejects.toThrow('no route');
    expect(record).toEqual(['image', 'create', 'created']);
  });
});
