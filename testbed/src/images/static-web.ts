import { busyboxTree } from './debian-files.ts';
import type { FileTree } from './file-tree.ts';
import { buildImage, type ImageLayout, type ImageSpec } from './layout.ts';
import { hostPlatform, type LayerCompression, type Platform } from './oci.ts';

/** The port that images with a web server listen on. */
export const WEB_PORT = 8080;

/**
 * BusyBox's web server lets SIGTERM pass unheard when it is the first process of a container, so a shell stands in
 * front of it, which also makes the image end at once when it is told to.
 */
const SERVE = `#!/bin/sh
httpd -f -v -p "\${PORT:-${WEB_PORT}}" -h /www &
server=$!
trap 'kill "$server"; wait "$server"; exit 0' TERM INT
echo "listening on port \${PORT:-${WEB_PORT}}"
wait "$server"
`;

const INSTANCE = `#!/bin/sh
printf 'Content-Type: application/json\\r\\nCache-Control: no-store\\r\\n\\r\\n'
printf '{"hostname":"%s","platform":"%s"}\\n' "$(hostname)" "$(cat /etc/image-platform)"
`;

const PAGE: FileTree = {
  'www/index.html': {
    kind: 'file',
    content: '<!doctype html><title>It works</title><p>A container answers.</p>\n',
  },
  'www/cgi-bin/instance': { kind: 'file', content: INSTANCE, mode: 0o755 },
};

/** Specs of an image that serves `site` (below `www/`) on port 8080 as an unprivileged user. */
export async function webServerSpec(
  site: FileTree,
  compression: LayerCompression = 'gzip',
): Promise<ImageSpec> {
  const platform = hostPlatform();
  return {
    platform,
    layers: [
      { tree: await busyboxTree(), compression },
      { tree: { ...platformMark(platform), 'bin/serve': serveScript, ...site }, compression },
    ],
    settings: {
      entrypoint: ['/bin/serve'],
      user: '1000:1000',
      workingDirectory: '/www',
      exposedPorts: [`${WEB_PORT}/tcp`],
    },
  };
}

const serveScript = { kind: 'file', content: SERVE, mode: 0o755 } as const;

function platformMark({ os, architecture }: Platform): FileTree {
  return { 'etc/image-platform': { kind: 'file', content: `${os}/${architecture}\n` } };
}

/**
 * The tiny static image: BusyBox with a web server on port 8080; `GET /cgi-bin/instance` tells the host name and the
 * platform of the image. Ends at once on SIGTERM.
 */
export async function buildStaticWebImage(
  cacheDirectory: string,
  { compression = 'gzip' }: { readonly compression?: LayerCompression } = {},
): Promise<ImageLayout> {
  return buildImage('static-web', [await webServerSpec(PAGE, compression)], cacheDirectory);
}

/**
 * The same as a multi-architecture index for amd64 and arm64. Only the variant of this machine can run; in the other
 * one every program is refused by the kernel, as the wrong choice would be in reality. The foreign one comes first.
 */
export async function buildMultiArchitectureImage(cacheDirectory: string): Promise<ImageLayout> {
  const native = await webServerSpec(PAGE);
  const architecture = native.platform.architecture === 'amd64' ? 'arm64' : 'amd64';
  const platform: Platform = { os: 'linux', architecture };
  const foreign: ImageSpec = {
    platform,
    layers: [
      { tree: { 'bin/serve': { kind: 'file', content: foreignProgram(architecture), mode: 0o755 } } },
      { tree: platformMark(platform) },
    ],
    settings: native.settings,
  };
  return buildImage('static-web-multi', [foreign, native], cacheDirectory);
}

const ELF_MACHINES = { amd64: 0x3e, arm64: 0xb7 } as const;

/** A program file that only has a header: for that architecture, and without code. */
function foreignProgram(architecture: Platform['architecture']): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(ELF_MACHINES[architecture], 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt16LE(64, 52);
  return header;
}
