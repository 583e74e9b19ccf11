import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { buildImage, type FileTree, type ImageLayout, webServerSpec } from '../images/index.ts';

/** Where things lie in `examples/demo`. */
const SLA_FILE = 'sla.json';
const SITE_FOLDER = 'www';

/** The parts of the demo's SLA that a caller may want to see; everything else is kept as it stands in the file. */
export interface DemoSla {
  readonly sla_version: string;
  readonly customerID: string;
  readonly applications: readonly {
    readonly application_name: string;
    readonly application_namespace: string;
    readonly microservices: readonly {
      readonly microservice_name: string;
      readonly code: string;
      readonly port?: string;
    }[];
  }[];
}

/**
 * Builds the image of the demo application from BusyBox of this machine and the page in `directory`
 * (`examples/demo`). A second call with the same files takes it from the cache.
 */
export async function buildDemoImage({
  directory,
  cacheDirectory,
}: {
  readonly directory: string;
  readonly cacheDirectory: string;
}): Promise<ImageLayout> {
  const site = await readSite(join(directory, SITE_FOLDER), directory);
  return buildImage('demo', [await webServerSpec(site)], cacheDirectory);
}

async function readSite(folder: string, base: string): Promise<FileTree> {
  const tree: Record<string, FileTree[string]> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const isScript = file.includes('/cgi-bin/');
    tree[relative(base, file)] = {
      kind: 'file',
      content: await readFile(file),
      mode: isScript ? 0o755 : 0o644,
    };
  }
  return tree;
}

/** The SLA of the demo with another image or another published port than the file has. */
export async function demoSla({
  directory,
  image,
  publishedPort,
}: {
  readonly directory: string;
  readonly image?: string;
  readonly publishedPort?: number;
}): Promise<DemoSla> {
  const file = join(directory, SLA_FILE);
  const sla = JSON.parse(await readFile(file, 'utf8')) as DemoSla;
  if (!sla.applications[0]?.microservices[0]) {
    throw new OakestraError('invalid', 'demo-incomplete', `${file} has no microservice; restore the file.`);
  }
  return {
    ...sla,
    applications: sla.applications.map((application) => ({
      ...application,
      microservices: application.microservices.map((service) => ({
        ...service,
        ...(image === undefined ? {} : { code: image }),
        ...(publishedPort === undefined
          ? {}
          : { port: withPublishedPort(service.port ?? '', publishedPort) }),
      })),
    })),
  };
}

/** `8080:8080/tcp` with another first number. */
export function withPublishedPort(mapping: string, publishedPort: number): string {
  const [ports = '', protocol] = mapping.split('/');
  const [published = '', inner = published] = ports.split(':');
  return `${publishedPort}:${inner}${protocol === undefined ? '' : `/${protocol}`}`;
}
