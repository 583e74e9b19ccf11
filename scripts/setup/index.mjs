// Everything that scripts/start.mjs and scripts/test.mjs need before anything of ours is installed or built.
export { ensureContainerd, PRIVATE_CONTAINERD, stopPrivateContainerd } from './containerd.mjs';
export { ensureDebianPackages, missingPackages } from './debian-packages.mjs';
export { checkNodeVersion } from './node-version.mjs';
export { RUN_PACKAGES, TEST_PACKAGES } from './package-sets.mjs';
export { consoleReport, SetupError } from './report.mjs';
