import { imageError } from './image-errors.ts';

/** What an image was built for, in the words of the OCI image specification. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** `v7` of arm, `v8` of arm64, … */
  readonly variant?: string;
}

/** The facts about a host that decide what it can run, as Node names them. */
export interface HostArchitecture {
  /** `process.arch` */
  readonly arch: string;
  /** `process.config.variables.arm_version`: `6`, `7` or `8`; meaningful on 32-bit ARM only. */
  readonly armVersion?: string;
  /** `os.endianness()` */
  readonly endianness?: 'LE' | 'BE';
}

const BY_NODE_NAME: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };
const ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm/v7',
  armel: 'arm/v6',
  i386: '386',
};

/** The platform that this host runs natively. */
export function hostPlatform(host: HostArchitecture): Platform {
  const os = 'linux';
  switch (host.arch) {
    case 'arm64':
      return { os, architecture: 'arm64', variant: 'v8' };
    case 'arm':
      return { os, architecture: 'arm', variant: `v${host.armVersion ?? '7'}` };
    case 'ppc64':
      return { os, architecture: host.endianness === 'LE' ? 'ppc64le' : 'ppc64' };
    default:
      return { os, architecture: BY_NODE_NAME[host.arch] ?? host.arch };
  }
}

/** Reads `linux/arm/v7`; fails with `image-reference-invalid`. */
export function parsePlatform(text: string): Platform {
  const [os, name, writtenVariant, ...rest] = text.toLowerCase().split('/');
  const [architecture, aliasVariant] = (ALIASES[name ?? ''] ?? name ?? '').split('/');
  if (!os || !architecture || writtenVariant === '' || rest.length > 0) {
    throw imageError(
      'image-reference-invalid',
      `Platform ${JSON.stringify(text)}: write it as "linux/amd64" or "linux/arm/v7"`,
    );
  }
  const variant = writtenVariant ?? aliasVariant ?? (architecture === 'arm64' ? 'v8' : undefined);
  return {
    os,
    architecture,
    ...(variant === undefined ? (architecture === 'arm' ? { variant: 'v7' } : {}) : { variant }),
  };
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/');
}

/**
 * How well something built for `offered` runs on `wanted`: 0 is exact, more is worse, undefined: not at all.
 * 32-bit programs are the last resort of a 64-bit host, as in containerd.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  if (wanted.os !== offered.os) return undefined;
  const index = runnable(wanted).indexOf(`${offered.architecture}/${normalVariant(offered)}`);
  return index < 0 ? undefined : index;
}

/** An entry of an index that may be chosen. */
export interface PlatformChoice {
  readonly platform?: Platform;
}

/**
 * The entry that fits best; of equals, the first. An entry without platform is taken when nothing else was
 * built for a known one. Fails with `image-platform-missing` and the list of what is offered.
 */
export function choosePlatform<T extends PlatformChoice>(
  choices: readonly T[],
  wanted: Platform,
  imageName: string,
): T {
  let best: { choice: T; distance: number } | undefined;
  for (const choice of choices) {
    const distance = choice.platform === undefined ? undefined : platformDistance(wanted, choice.platform);
    if (distance !== undefined && (best === undefined || distance < best.distance))
      best = { choice, distance };
  }
  const unmarked = choices.filter((choice) => choice.platform === undefined);
  if (best === undefined && unmarked.length === 1 && unmarked[0] !== undefined) return unmarked[0];
  if (best !== undefined) return best.choice;

  const offered = offeredPlatforms(choices);
  throw imageError(
    'image-platform-missing',
    `Image ${imageName} is not offered for ${formatPlatform(wanted)}; it is offered for ${
      offered.join(', ') || 'no platform at all'
    }. Choose another tag or place the service on a fitting worker`,
    { details: { wanted: formatPlatform(wanted), offered } },
  );
}

function offeredPlatforms(choices: readonly PlatformChoice[]): readonly string[] {
  const names = choices.flatMap(({ platform }) =>
    // Build attestations are listed in an index as "unknown/unknown".
    platform === undefined || platform.architecture === 'unknown' ? [] : [formatPlatform(platform)],
  );
  return [...new Set(names)];
}

function normalVariant(platform: Platform): string {
  if (platform.architecture === 'arm64') return platform.variant ?? 'v8';
  if (platform.architecture === 'arm') return platform.variant ?? 'v7';
  if (platform.architecture === 'amd64') return platform.variant ?? 'v1';
  return platform.variant ?? '';
}

/** All that runs on a platform, best first. */
function runnable(platform: Platform): readonly string[] {
  const own = `${platform.architecture}/${normalVariant(platform)}`;
  switch (platform.architecture) {
    case 'amd64':
      return [...downFrom('amd64', platform.variant ?? 'v1'), '386/'];
    case 'arm64':
      return [...new Set([own, 'arm64/v8', ...downFrom('arm', 'v8')])];
    case 'arm':
      return downFrom('arm', normalVariant(platform));
    default:
      return [...new Set([own, `${platform.architecture}/`])];
  }
}

/** `arm/v7`, `arm/v6`, `arm/v5`: a variant and those that came before it. */
function downFrom(architecture: string, variant: string): string[] {
  const oldest = architecture === 'arm' ? 5 : 1;
  const number = Number(variant.slice(1));
  if (!Number.isInteger(number) || number < oldest) return [`${architecture}/${variant}`];
  return Array.from({ length: number - oldest + 1 }, (_, i) => `${architecture}/v${number - i}`);
}
