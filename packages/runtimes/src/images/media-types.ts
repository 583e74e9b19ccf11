/** Media types of the two families that registries serve: Docker's and OCI's. */
export const MANIFEST_TYPES = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
} as const;

/** What we ask registries for, and all that we understand. */
export const ACCEPTED_MANIFESTS: readonly string[] = Object.values(MANIFEST_TYPES);

const CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.oci.image.config.v1+json',
  // Written by old registries for every configuration.
  'application/octet-stream',
]);

export function isIndexType(mediaType: string): boolean {
  return mediaType === MANIFEST_TYPES.dockerList || mediaType === MANIFEST_TYPES.ociIndex;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === MANIFEST_TYPES.dockerManifest || mediaType === MANIFEST_TYPES.ociManifest;
}

export function isConfigType(mediaType: string): boolean {
  return CONFIG_TYPES.has(mediaType);
}

/** The first manifest format, without content addresses: cannot be verified and is not supported. */
export function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(prettyjws|json)$/.test(mediaType);
}

export type LayerCompression = 'none' | 'gzip' | 'zstd';

export type LayerKind =
  | { readonly kind: 'layer'; readonly compression: LayerCompression }
  /** May not be handed on by registries (Windows base layers). */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'unknown' };

const LAYERS: Readonly<Record<string, LayerCompression>> = {
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
};

export function layerKind(mediaType: string): LayerKind {
  if (/\.(foreign|nondistributable)\./.test(mediaType)) return { kind: 'foreign' };
  const compression = LAYERS[mediaType];
  return compression === undefined ? { kind: 'unknown' } : { kind: 'layer', compression };
}

/** The type by which containerd's differ knows how to unpack a layer. */
export function unpackableLayerType(compression: LayerCompression): string {
  const base = 'application/vnd.oci.image.layer.v1.tar';
  return compression === 'none' ? base : `${base}+${compression}`;
}
