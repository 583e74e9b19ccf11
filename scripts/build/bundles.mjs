// What is built: one self-contained file per program.

/** Native packages stay beside the bundles; nothing else does. */
export const NATIVE_PACKAGES = ['@photostructure/sqlite', '@node-rs/argon2'];

/**
 * @typedef {object} Bundle
 * @property {string} name      `dist/<name>.cjs`
 * @property {string} entry
 * @property {'all' | readonly string[]} forbidden  npm packages that must not get in; `all`: none may
 * @property {readonly string[]} [without]  modules that it never uses and that are left out
 * @property {boolean} [isProgram]    gets a shebang and may be executed
 * @property {boolean} [keepsNames]   names of classes and functions survive: stack traces stay readable
 * @property {boolean} [hasCodeCache] compiled at build time, for less memory and a faster start
 */

/** What is too heavy for a worker, or belongs to the servers. */
const NOT_IN_WORKER = [
  '@node-rs/argon2',
  '@peculiar/x509',
  '@photostructure/sqlite',
  'aedes',
  'fastify',
  'jose',
  'kysely',
  'pino',
  'prom-client',
  'reflect-metadata',
  'undici',
];
const NOT_IN_SERVERS = ['mqtt', 'undici'];
const NOT_IN_TOOLS = [...NOT_IN_WORKER, 'mqtt'];

/** Diagnostics of gRPC that load .proto files at run time: nobody asks for them. */
const UNUSED_OF_GRPC = ['@grpc/proto-loader'];
const GRPC_SERVER = ['server', 'server-credentials', 'server-interceptors'].map(
  (name) => `@grpc/grpc-js/build/src/${name}.js`,
);
/** Transports of MQTT other than TLS, and timers of browsers. */
const UNUSED_OF_MQTT = ['socks', 'ws', 'worker-timers'];

/** @type {readonly Bundle[]} */
export const BUNDLES = [
  { name: 'oakestra', entry: 'apps/oakestra/src/main.ts', forbidden: 'all', isProgram: true },
  {
    name: 'root',
    entry: 'apps/oakestra/src/root-bundle.ts',
    without: UNUSED_OF_GRPC,
    forbidden: ['aedes', ...NOT_IN_SERVERS],
    keepsNames: true,
    hasCodeCache: true,
  },
  {
    name: 'cluster',
    entry: 'apps/oakestra/src/cluster-bundle.ts',
    without: UNUSED_OF_GRPC,
    forbidden: [
      '@node-rs/argon2',
      '@peculiar/x509',
      'jose',
      'prom-client',
      'reflect-metadata',
      ...NOT_IN_SERVERS,
    ],
    keepsNames: true,
    hasCodeCache: true,
  },
  {
    name: 'worker',
    entry: 'apps/oakestra/src/worker-bundle.ts',
    forbidden: [...NOT_IN_WORKER, 'protobufjs'],
    without: [...UNUSED_OF_GRPC, ...GRPC_SERVER, ...UNUSED_OF_MQTT],
    hasCodeCache: true,
  },
  {
    name: 'up',
    entry: 'apps/oakestra/src/up-bundle.ts',
    forbidden: [...NOT_IN_TOOLS, '@grpc/grpc-js', 'zod'],
  },
  {
    name: 'image-pull',
    entry: 'apps/oakestra/src/image-pull-bundle.ts',
    forbidden: NOT_IN_TOOLS,
    without: [...UNUSED_OF_GRPC, ...GRPC_SERVER],
  },
  {
    name: 'sqlite-thread',
    entry: 'packages/store/src/sqlite-thread.ts',
    forbidden: NOT_IN_TOOLS.filter((name) => name !== '@photostructure/sqlite'),
  },
  { name: 'start', entry: 'testbed/src/start.ts', forbidden: NOT_IN_TOOLS },
];
