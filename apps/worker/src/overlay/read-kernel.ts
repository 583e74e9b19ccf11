import {
  type IpLink,
  isHostInterfaceName,
  listNamespaces,
  type NftChain,
  type NftPortElement,
  namespacesInUse,
  readSysctl,
} from '@oakestra/host';
import {
  acceptanceMark,
  type CurrentInterface,
  type CurrentNetwork,
  type ForeignChain,
  mayHoldAcceptance,
  type NetworkSettings,
  type PortProtocol,
  type PublishedPort,
  parseInterfaceLabel,
  publishedMap,
  wantedSysctls,
} from '@oakestra/netplan';
import type { NetworkTools } from './execute-steps.ts';

export interface ReadKernelOptions {
  readonly tools: NetworkTools;
  readonly settings: NetworkSettings;
  /** Of the namespaces that are ours. */
  readonly namePrefix: string;
  /** Namespaces of instances that we know; the others are looked at for processes. */
  readonly isKnown: (namespace: string) => boolean;
}

/** Reads what the kernel has of ours: a handful of processes, however many instances there are. */
export async function readKernel(options: ReadKernelOptions): Promise<CurrentNetwork> {
  const { tools, settings, namePrefix, isKnown } = options;
  const [links, maps, foreignChains, names, sysctls] = await Promise.all([
    tools.ip.links(),
    tools.nft.portMaps(settings.table),
    tools.nft.chains().then((chains) => readForeignChains(tools, settings, chains)),
    listNamespaces(namePrefix),
    readSysctls(settings),
  ]);
  const used = await namespacesInUse(names.filter((name) => !isKnown(name)));
  const bridge = links.find(({ name }) => name === settings.bridge);
  return {
    ...(bridge === undefined ? {} : { bridge: bridgeOf(bridge) }),
    sysctls,
    namespaces: names.map((name) => ({ name, isInUse: used.has(name) })),
    interfaces: links.filter(({ name }) => isHostInterfaceName(name)).map(interfaceOf),
    ...(maps === undefined ? {} : { published: publishedPorts(maps) }),
    foreignChains,
  };
}

function bridgeOf(link: IpLink): NonNullable<CurrentNetwork['bridge']> {
  return { cidrs: link.addresses, isUp: link.flags.includes('UP'), mtu: link.mtu };
}

function interfaceOf({ name, master, alias }: IpLink): CurrentInterface {
  const label = parseInterfaceLabel(alias ?? '');
  return {
    name,
    ...(master === undefined ? {} : { bridge: master }),
    ...(label === undefined ? {} : { label }),
  };
}

function publishedPorts(maps: ReadonlyMap<string, readonly NftPortElement[]>): PublishedPort[] {
  const protocols: readonly PortProtocol[] = ['tcp', 'udp'];
  return protocols.flatMap((protocol) =>
    (maps.get(publishedMap(protocol)) ?? []).map(({ port, toAddress, toPort }) => ({
      hostPort: port,
      containerPort: toPort,
      protocol,
      address: toAddress,
    })),
  );
}

async function readSysctls(settings: NetworkSettings): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const { name } of wantedSysctls(settings)) {
    const value = await readSysctl(name);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/** The chains of others out of `all`; rule by rule only where rules of ours may stand. */
export async function readForeignChains(
  { nft }: Pick<NetworkTools, 'nft'>,
  settings: NetworkSettings,
  all: readonly NftChain[],
): Promise<ForeignChain[]> {
  const mark = acceptanceMark(settings.bridge);
  const chains = all.filter(({ family, table }) => !(family === 'ip' && table === settings.table));
  return Promise.all(
    chains.map(async (chain) => {
      if (!mayHoldAcceptance(chain)) return { ...chain, ourRules: [] };
      const rules = await nft.rules(chain);
      const ourRules = rules.filter(({ comment }) => comment === mark).map(({ handle }) => handle);
      return { ...chain, ourRules };
    }),
  );
}
