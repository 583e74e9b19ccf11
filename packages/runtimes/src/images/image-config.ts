import { createHash } from 'node:crypto';
import type { OciImageConfig } from '../containerd/prepared-image.ts';
import { imageError } from './image-errors.ts';
import { isDigest, parseJson } from './manifest.ts';
import type { Platform } from './platform.ts';

/** A parsed configuration blob: what the runtime reads, and what unpacking needs. */
export interface ImageConfig {
  readonly oci: OciImageConfig;
  readonly platform: Platform;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
}

/** Reads the configuration of an image, Docker's (schema 2) and OCI's alike; fails with `image-invalid`. */
export function parseImageConfig(bytes: Uint8Array, imageName: string): ImageConfig {
  const document = parseJson(bytes, imageName);
  if (typeof document !== 'object' || document === null) throw corrupt(imageName, 'is no object');
  const { architecture, os, variant, config, rootfs } = document as Record<string, unknown>;
  const diffIds = (rootfs as { diff_ids?: unknown } | undefined)?.diff_ids ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every((id) => typeof id === 'string' && isDigest(id))) {
    throw corrupt(imageName, 'lists no valid digests in rootfs.diff_ids');
  }
  const oci: OciImageConfig = {
    ...(typeof architecture === 'string' ? { architecture } : {}),
    ...(typeof os === 'string' ? { os } : {}),
    ...(typeof config === 'object' && config !== null
      ? { config: parseProcess(config as Record<string, unknown>, imageName) }
      : {}),
  };
  return {
    oci,
    platform: {
      os: oci.os || 'linux',
      architecture: oci.architecture ?? '',
      ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
    },
    diffIds: diffIds as string[],
  };
}

/** The signal that asks programs of this image to end: a name with `SIG`, or a number as text. */
export function stopSignalOf(config: OciImageConfig): string {
  const signal = config.config?.StopSignal?.trim() ?? '';
  if (signal === '') return 'SIGTERM';
  if (/^[0-9]+$/.test(signal)) return signal;
  const name = signal.toUpperCase();
  return name.startsWith('SIG') ? name : `SIG${name}`;
}

/**
 * The name of each snapshot of a stack of layers, lowest first (OCI image specification, "ChainID"): the same
 * layers in the same order have the same name in every image.
 */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(
      below === undefined
        ? diffId
        : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
    );
  }
  return chain;
}

function parseProcess(
  config: Record<string, unknown>,
  imageName: string,
): NonNullable<OciImageConfig['config']> {
  const text = (name: string): string | undefined => {
    const value = config[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string') return value;
    throw corrupt(imageName, `has no text in config.${name}`);
  };
  const list = (name: string): readonly string[] | null | undefined => {
    const value = config[name];
    if (value === undefined || value === null) return value;
    // Old builders wrote a single command as text.
    if (typeof value === 'string') return [value];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw corrupt(imageName, `has no list of texts in config.${name}`);
  };
  const all = {
    User: text('User'),
    Env: list('Env'),
    Entrypoint: list('Entrypoint'),
    Cmd: list('Cmd'),
    WorkingDir: text('WorkingDir'),
    StopSignal: text('StopSignal'),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function corrupt(imageName: string, reason: string): Error {
  return imageError('image-invalid', `The configuration of image ${imageName} ${reason}`);
}
