export { buildFaultyImage, type FaultyImage } from './faulty.ts';
export type { FileTree } from './file-tree.ts';
export { buildEchoImage, buildRedisImage, ECHO_PORT, REDIS_PORT } from './layered.ts';
export { buildImage, type ImageLayout, type ImageSpec } from './layout.ts';
export { hostPlatform, MEDIA_TYPES } from './oci.ts';
export { type PushedImage, pushImage } from './push.ts';
export {
  type RegistryAccess,
  type RegistryCredentials,
  type RegistryRequest,
  type RegistryResponse,
  registryRequest,
} from './registry-request.ts';
export { buildMultiArchitectureImage, buildStaticWebImage, WEB_PORT, webServerSpec } from './static-web.ts';
