// Everything that scripts/start.mjs and scripts/test.mjs need before anything of ours is installed or built.
export {
  ensureContainerd,
  PRIVATE_CONTAINERD,
  SYSTEM_CONTAINERD_ADDRESS,
  stopPrivateContainerd,
} from './containerd.mjs';
export { ensureDebianPackages, findProgram, missingPackages } from './debian-packages.mjs';
export { checkNodeVersion } from './node-version.mjs';
export { RUN_PACKAGES, TEST_PACKAGES } from './package-sets.mjs';
export { consoleReport, SetupError } from './report.mjs';
