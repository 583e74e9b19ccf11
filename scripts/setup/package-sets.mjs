// What has to be on a Debian machine, and why. `programs` prove that a package is there already.

/**
 * @typedef {object} NeededPackage
 * @property {string} name                 the Debian package
 * @property {string} why                  told to the person before it is installed
 * @property {readonly string[]} programs  all of them on the path: nothing to install
 * @property {boolean} [mustBeStatic]      the program counts only when it needs no shared library
 * @property {boolean} [isOptional]        installed with the others, but its absence stops nothing
 * @property {string} [service]            system service that the package would start and that we do not want
 */

/** Needed to run all three tiers and the demo on this machine. @type {readonly NeededPackage[]} */
export const RUN_PACKAGES = [
  {
    name: 'containerd',
    why: 'runs the containers',
    programs: ['containerd', 'ctr', 'containerd-shim-runc-v2'],
  },
  { name: 'runc', why: 'starts the container processes', programs: ['runc'] },
  { name: 'nftables', why: 'publishes ports and routes traffic', programs: ['nft'] },
  { name: 'iproute2', why: 'sets up the network of the instances', programs: ['ip'] },
  {
    name: 'conntrack',
    why: 'forgets connections to removed instances',
    programs: ['conntrack'],
    isOptional: true,
  },
  {
    name: 'busybox-static',
    why: 'is what the demo image is made of',
    programs: ['busybox'],
    mustBeStatic: true,
  },
  {
    name: 'docker-registry',
    why: 'serves the demo image to the worker, on loopback only',
    programs: ['docker-registry'],
    service: 'docker-registry',
  },
  { name: 'zstd', why: 'unpacks image layers compressed with it', programs: ['zstd'] },
];

/** Needed by `npm test` in addition to RUN_PACKAGES. @type {readonly NeededPackage[]} */
export const TEST_PACKAGES = [
  {
    name: 'mosquitto',
    why: 'is the reference for our MQTT broker',
    programs: ['mosquitto'],
    service: 'mosquitto',
  },
  {
    name: 'redis-server',
    why: 'is a test image of several layers',
    programs: ['redis-server'],
    service: 'redis-server',
  },
  {
    name: 'postgresql',
    why: 'is the other database that the root can use',
    programs: ['postgres'],
    service: 'postgresql',
  },
  { name: 'openssl', why: 'checks our certificates', programs: ['openssl'] },
  { name: 'perl-base', why: 'hashes the password of the test registry', programs: ['perl'] },
  { name: 'util-linux', why: 'starts test hosts in network namespaces', programs: ['nsenter', 'unshare'] },
];
