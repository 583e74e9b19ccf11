import { writeFile } from 'node:fs/promises';
import { parseInstanceKey } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import type { Image, ImageProgress, Runtime } from '@oakestra/runtimes';
import type { InstanceEntry } from '../journal/index.ts';
import { instanceHosts, type LocalNetwork } from '../overlay/index.ts';
import type { GivenValues } from '../values/index.ts';
import { hostnameOf, imageOf, portsOf, type SpecPaths, specOf } from './spec.ts';

export interface StartOptions {
  readonly runtime: Runtime;
  readonly network: LocalNetwork;
  readonly logger: Logger;
  readonly entry: InstanceEntry;
  readonly runtimeId: string;
  readonly paths: SpecPaths;
  readonly given: GivenValues;
  readonly signal: AbortSignal;
  /** For people. */
  readonly onProgress: (detail: string) => void;
  readonly onImagePinned: (reference: string) => void;
}

/**
 * Network and image side by side; the container is created as soon as both are there, while the network is still being
 * configured, and started when everything is ready. Rejects with the reason of the first failure or of `signal`; what
 * was made by then is left to the caller, and nothing goes on behind its back.
 */
export async function startInstance(options: StartOptions): Promise<void> {
  const { runtime, entry, runtimeId, paths, signal } = options;
  const failed = new AbortController();
  const half = AbortSignal.any([signal, failed.signal]);
  const orFail = (error: unknown): never => {
    // Nobody waits for an image when the port is taken.
    failed.abort(error);
    throw error;
  };
  const { place, attached } = attachNetwork(options, half);
  const network = attached.catch(orFail);
  const image = prepareImage(options, half).catch(orFail);
  const create = async (): Promise<void> => {
    const prepared = await image;
    await place;
    half.throwIfAborted();
    await runtime.create(specOf(entry, paths, options.given), prepared);
  };
  await Promise.allSettled([network, create().catch(orFail)]);
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  await runtime.start(runtimeId);
}

/** `place` resolves when a container can be created for the network, or when there will be none. */
function attachNetwork(
  { network, logger, entry, runtimeId, paths }: StartOptions,
  signal: AbortSignal,
): { readonly place: Promise<void>; readonly attached: Promise<void> } {
  const hostname = hostnameOf(parseInstanceKey(entry.key).number);
  const writeHosts = (address: string): Promise<void> =>
    writeFile(paths.hostsPath, instanceHosts({ hostname, address }));
  let placeIsReady: () => void = () => {};
  const place = new Promise<void>((resolve) => {
    placeIsReady = resolve;
  });
  const attach = async (): Promise<void> => {
    let hosts: Promise<void> | undefined;
    const { address } = await network.attach({
      instanceId: runtimeId,
      ports: portsOf(entry.document),
      signal,
      onNamespace(known) {
        hosts = writeHosts(known);
        hosts.then(placeIsReady, placeIsReady);
      },
    });
    await (hosts ?? writeHosts(address));
    logger.debug('network attached', { instance: runtimeId });
  };
  return { place, attached: attach().finally(placeIsReady) };
}

async function prepareImage(options: StartOptions, signal: AbortSignal): Promise<Image> {
  const { runtime, logger, entry, runtimeId } = options;
  const image = await runtime.prepareImage(imageOf(entry), {
    signal,
    onProgress: (progress) => options.onProgress(describeProgress(progress)),
  });
  logger.debug('image resolved', { instance: runtimeId });
  options.onImagePinned(image.pinnedReference);
  return image;
}

function describeProgress({ phase, doneBytes, totalBytes }: ImageProgress): string {
  switch (phase) {
    case 'resolving':
      return 'Looking up the image';
    case 'downloading': {
      const percent = totalBytes > 0 ? Math.floor((doneBytes / totalBytes) * 100) : 0;
      return `Downloading the image, ${percent} % of ${Math.ceil(totalBytes / 2 ** 20)} MiB`;
    }
    case 'unpacking':
      return 'Unpacking the image';
  }
}
