export { buildFaultyImage, type FaultyImage } from './faulty.ts';
export type { FileTree, TreeEntry } from './file-tree.ts';
export { blobPath } from './layer.ts';
export { buildEchoImage, buildRedisImage, ECHO_PORT, REDIS_PORT } from './layered.ts';
export { buildImage, type ImageLayout, type ImageSpec, type LayerSpec } from './layout.ts';
export {
  type Descriptor,
  hostPlatform,
  type ImageSettings,
  type LayerCompression,
  MEDIA_TYPES,
  type Platform,
} from './oci.ts';
export { type PushedImage, pushImage } from './push.ts';
export {
  type RegistryAccess,
  type RegistryCredentials,
  type RegistryRequest,
  type RegistryResponse,
  registryRequest,
} from './registry-request.ts';
export { buildMultiArchitectureImage, buildStaticWebImage, WEB_PORT, webServerSpec } from './static-web.ts';
