import { readFile } from 'node:fs/promises';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { parseKernelRoutes, selectRoute } from '@oakestra/host';
import { parseIpv4 } from '@oakestra/netplan';

export interface PrimaryAddressOptions {
  /** Whom the address has to suit, an IPv4 address such as that of the cluster. Default: the rest of the world. */
  readonly towards?: string;
  /** Interfaces that lead nowhere, such as our own bridge. */
  readonly ignoredInterfaces?: readonly string[];
}

/** What the choice is made from. */
export interface AddressSources {
  /** Text of `/proc/net/route`. */
  readonly routesText: string;
  readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
}

/** Bridges of container engines, which other hosts cannot reach. */
const LOCAL_BRIDGE = /^(docker|br-|virbr|cni|podman|lxcbr|lxdbr|cbr|flannel|kube)/;

/**
 * The IPv4 address under which others reach this host: that of the interface through which packets to `towards`
 * leave. Without such a route the first address that is neither on loopback nor on a local bridge; undefined when
 * there is none.
 */
export function choosePrimaryAddress(
  { routesText, interfaces }: AddressSources,
  { towards, ignoredInterfaces = [] }: PrimaryAddressOptions = {},
): string | undefined {
  const addressOf = (name: string) =>
    interfaces[name]?.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  const destination = towards === undefined ? undefined : parseIpv4(towards);
  const routes = parseKernelRoutes(routesText).filter(({ device }) => !ignoredInterfaces.includes(device));
  const route =
    (destination === undefined ? undefined : selectRoute(routes, destination)) ?? selectRoute(routes, 0);
  const byRoute = route === undefined ? undefined : addressOf(route.device);
  if (byRoute !== undefined) return byRoute;
  const name = Object.keys(interfaces).find(
    (candidate) =>
      !ignoredInterfaces.includes(candidate) &&
      !LOCAL_BRIDGE.test(candidate) &&
      addressOf(candidate) !== undefined,
  );
  return name === undefined ? undefined : addressOf(name);
}

export async function readPrimaryAddress(options: PrimaryAddressOptions = {}): Promise<string | undefined> {
  const routesText = await readFile('/proc/net/route', 'utf8').catch(() => '');
  return choosePrimaryAddress({ routesText, interfaces: networkInterfaces() }, options);
}
