import { baseTree, filesOfThisMachine, installedProgram, sharedLibraries } from './debian-files.ts';
import type { FileTree } from './file-tree.ts';
import { buildImage, type ImageLayout } from './layout.ts';
import { hostPlatform, type LayerCompression } from './oci.ts';

export const REDIS_PORT = 6379;
export const ECHO_PORT = 7777;

/** The C library and the linker change never, what is built on them sometimes: so they are layers of their own. */
const BASE_LIBRARY = /\/(ld-linux[^/]*|libc|libm|libgcc_s|libatomic|libcrypt)\.so/;

interface DebianImage {
  readonly name: string;
  readonly program: string;
  readonly debianPackage: string;
  readonly compressions: readonly [LayerCompression, LayerCompression, LayerCompression];
}

async function layersOf({ program, debianPackage, compressions }: DebianImage, extra: FileTree) {
  const path = installedProgram(program, debianPackage);
  const libraries = Object.entries(await sharedLibraries(path));
  const isBase = ([file]: readonly [string, unknown]) => BASE_LIBRARY.test(`/${file}`);
  const trees: FileTree[] = [
    { ...baseTree(), ...Object.fromEntries(libraries.filter(isBase)) },
    Object.fromEntries(libraries.filter((entry) => !isBase(entry))),
    { ...filesOfThisMachine([path]), ...extra },
  ];
  return trees
    .map((tree, index) => ({ tree, compression: compressions[index] as LayerCompression }))
    .filter(({ tree }) => Object.keys(tree).length > 0);
}

/**
 * An image of three layers from Debian packages: Redis with its shared libraries, on port 6379 without persistence.
 * By default the middle layer is compressed with zstd, the others with gzip.
 */
export async function buildRedisImage(
  cacheDirectory: string,
  { compressions = ['gzip', 'zstd', 'gzip'] }: { readonly compressions?: DebianImage['compressions'] } = {},
): Promise<ImageLayout> {
  const image: DebianImage = {
    name: 'redis',
    program: 'redis-server',
    debianPackage: 'redis-server',
    compressions,
  };
  const layers = await layersOf(image, { data: { kind: 'directory', mode: 0o777 } });
  return buildImage(
    image.name,
    [
      {
        platform: hostPlatform(),
        layers,
        settings: {
          entrypoint: [installedProgram(image.program, image.debianPackage)],
          command: ['--save', '', '--bind', '0.0.0.0', '--protected-mode', 'no', '--dir', '/data'],
          user: '65534:65534',
          workingDirectory: '/data',
          exposedPorts: [`${REDIS_PORT}/tcp`],
        },
      },
    ],
    cacheDirectory,
  );
}

/** Without any module, so that the interpreter and its libraries are all it needs. */
const ECHO = `$SIG{TERM} = sub { exit 0 };
$SIG{CHLD} = 'IGNORE';
my $name = $ENV{NAME} // $ENV{HOSTNAME} // '';
my $port = $ENV{PORT} // ${ECHO_PORT};
my $any = pack('S n a4 x8', 2, $port, "\\0\\0\\0\\0");
if (my $udp = fork) {
  $SIG{TERM} = sub { kill 'TERM', $udp; exit 0 };
  socket(my $server, 2, 1, 6) or die "socket: $!";
  setsockopt($server, 1, 2, pack('l', 1));
  bind($server, $any) or die "bind: $!";
  listen($server, 128) or die "listen: $!";
  $| = 1;
  print "echo on port $port\\n";
  while (1) {
    accept(my $client, $server) or next;
    next if fork;
    $SIG{TERM} = 'DEFAULT';
    close $server;
    while (sysread($client, my $part, 65536)) { syswrite($client, $name eq '' ? $part : "$name $part") }
    exit 0;
  }
}
socket(my $server, 2, 2, 17) or die "socket: $!";
bind($server, $any) or die "bind: $!";
while (1) {
  my $from = recv($server, my $datagram, 65536, 0);
  next unless defined $from && length $from;
  send($server, $name eq '' ? $datagram : "$name $datagram", 0, $from);
}
`;

/**
 * Answers what it gets on port 7777 (variable PORT), over TCP and over UDP; with a variable NAME each answer begins
 * with that name and a blank. Two dynamic layers and a script. Ends at once on SIGTERM.
 */
export async function buildEchoImage(cacheDirectory: string): Promise<ImageLayout> {
  const image: DebianImage = {
    name: 'echo',
    program: 'perl',
    debianPackage: 'perl-base',
    compressions: ['gzip', 'gzip', 'gzip'],
  };
  const layers = await layersOf(image, { 'bin/echo-server': { kind: 'file', content: ECHO } });
  return buildImage(
    image.name,
    [
      {
        platform: hostPlatform(),
        layers,
        settings: {
          entrypoint: [installedProgram(image.program, image.debianPackage), '/bin/echo-server'],
          user: '65534:65534',
          exposedPorts: [`${ECHO_PORT}/tcp`, `${ECHO_PORT}/udp`],
        },
      },
    ],
    cacheDirectory,
  );
}
