import { OakestraError } from '@oakestra/contracts';

/** Which package of Debian brings which program. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  conntrack: 'conntrack',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  nsenter: 'util-linux',
  mount: 'mount',
  umount: 'mount',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-system-aarch64': 'qemu-system-arm',
  'qemu-img': 'qemu-utils',
};

/** The error for a program that is not there; says how to get it on Debian and its relatives. */
export function missingProgram(command: string, cause?: unknown): OakestraError {
  const name = command.slice(command.lastIndexOf('/') + 1);
  const packageName = PACKAGES[name];
  const advice =
    packageName === undefined
      ? 'install it, or add its directory to PATH'
      : `install it, on Debian with: apt-get install ${packageName}`;
  return new OakestraError(
    'unavailable',
    'program-missing',
    `the program "${command}" was not found; ${advice}`,
    {
      cause,
      details: { command, ...(packageName === undefined ? {} : { package: packageName }) },
    },
  );
}

/** Is the error one of {@link missingProgram}? */
export function isMissingProgram(error: unknown): boolean {
  return error instanceof OakestraError && error.code === 'program-missing';
}
