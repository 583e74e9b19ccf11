export {
  type IdentityFiles,
  type IdentityRequest,
  openTestAuthority,
  type TestAuthority,
} from './certificates/index.ts';
export {
  type ContainerdLeftovers,
  type LeftoverOptions,
  startTestContainerd,
  type TestContainerd,
  type TestContainerdOptions,
} from './containerd/index.ts';
export { buildDemoImage, type DemoSla, demoSla } from './demo/index.ts';
export {
  freeze,
  freezeCgroup,
  killNow,
  startTcpRelay,
  type TcpRelay,
  thaw,
  thawCgroup,
} from './faults/index.ts';
export { createTestNetwork, type Endpoint, type TestHost, type TestNetwork } from './hosts/index.ts';
export {
  buildEchoImage,
  buildFaultyImage,
  buildImage,
  buildMultiArchitectureImage,
  buildRedisImage,
  buildStaticWebImage,
  ECHO_PORT,
  type FaultyImage,
  hostPlatform,
  type ImageLayout,
  type ImageSpec,
  MEDIA_TYPES,
  type PushedImage,
  pushImage,
  REDIS_PORT,
  type RegistryAccess,
  type RegistryCredentials,
  registryRequest,
  WEB_PORT,
} from './images/index.ts';
export {
  type CommandOptions,
  type CommandOutput,
  collectLogs,
  eventually,
  freePort,
  freePorts,
  keepLogs,
  type ManagedProcess,
  makeScratchDirectory,
  type ProcessExit,
  type ProcessOptions,
  runCommand,
  startProcess,
} from './processes/index.ts';
export { type Registry, type RegistryOptions, startRegistry } from './registry/index.ts';
export { type SweepResult, sweep } from './sweep.ts';
export { openTestbed, type Testbed } from './testbed.ts';
