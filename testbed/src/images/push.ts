import { readFile } from 'node:fs/promises';
import { OakestraError } from '@oakestra/contracts';
import { blobPath } from './layer.ts';
import type { ImageLayout } from './layout.ts';
import type { Descriptor } from './oci.ts';
import { type RegistryAccess, type RegistryResponse, registryRequest } from './registry-request.ts';

export interface PushedImage {
  /** `127.0.0.1:5000/name:tag`, as it stands in an SLA. */
  readonly reference: string;
  /** `127.0.0.1:5000/name@sha256:…`. */
  readonly pinnedReference: string;
  readonly digest: string;
}

/**
 * Pushes an image to a registry. What the registry has already is not sent again. Fails with `registry-unreachable`
 * or `push-refused` (the message has the registry's answer).
 */
export async function pushImage(
  layout: ImageLayout,
  { name, tag, ...access }: RegistryAccess & { readonly name: string; readonly tag: string },
): Promise<PushedImage> {
  const repository = { access, name };
  for (const { descriptor, blobs } of layout.manifests) {
    for (const blob of blobs) await pushBlob(repository, layout, blob);
    await pushManifest(repository, { layout, descriptor, target: descriptor.digest });
  }
  await pushManifest(repository, { layout, descriptor: layout.top, target: tag });
  const host = new URL(access.url).host;
  return {
    reference: `${host}/${name}:${tag}`,
    pinnedReference: `${host}/${name}@${layout.top.digest}`,
    digest: layout.top.digest,
  };
}

interface Repository {
  readonly access: RegistryAccess;
  readonly name: string;
}

async function pushBlob({ access, name }: Repository, layout: ImageLayout, blob: Descriptor): Promise<void> {
  const known = await registryRequest(access, { method: 'HEAD', target: `/v2/${name}/blobs/${blob.digest}` });
  if (known.status === 200) return;
  const begun = await registryRequest(access, { method: 'POST', target: `/v2/${name}/blobs/uploads/` });
  expectStatus(begun, 202, `an upload to ${name} could not be begun`);
  const target = new URL(begun.headers.location ?? '', access.url);
  target.searchParams.set('digest', blob.digest);
  const sent = await registryRequest(access, {
    method: 'PUT',
    target: target.href,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) },
    body: { file: blobPath(layout.directory, blob.digest) },
  });
  expectStatus(sent, 201, `the blob ${blob.digest} of ${name} was not taken`);
}

async function pushManifest(
  { access, name }: Repository,
  {
    layout,
    descriptor,
    target,
  }: { readonly layout: ImageLayout; readonly descriptor: Descriptor; readonly target: string },
): Promise<void> {
  const sent = await registryRequest(access, {
    method: 'PUT',
    target: `/v2/${name}/manifests/${target}`,
    headers: { 'content-type': descriptor.mediaType },
    body: await readFile(blobPath(layout.directory, descriptor.digest)),
  });
  expectStatus(sent, 201, `the manifest of ${name}:${target} was not taken`);
}

function expectStatus(response: RegistryResponse, status: number, what: string): void {
  if (response.status === status) return;
  const hint = response.status === 401 ? ' Give the credentials of the registry.' : '';
  throw new OakestraError(
    response.status === 401 ? 'unauthenticated' : 'internal',
    'push-refused',
    `Pushing failed: ${what} (HTTP ${response.status}): ${response.body.toString('utf8').trim().slice(0, 500)}.${hint}`,
  );
}
