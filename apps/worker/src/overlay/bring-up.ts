import type { Logger } from '@oakestra/daemon';
import { hostInterfaceNameOf, namespaceNameOf, readSysctl } from '@oakestra/host';
import {
  type CurrentNetwork,
  findPortConflicts,
  type InstanceNetwork,
  isAssignable,
  type NetworkPlan,
  type NetworkSettings,
  type PortMapping,
  planNetwork,
} from '@oakestra/netplan';
import type { AddressBook } from './address-book.ts';
import { executeSteps, type NetworkTools } from './execute-steps.ts';
import { type CheckedOptions, chooseMtu, requireFreeSubnet } from './network-options.ts';
import { readKernel } from './read-kernel.ts';

/** An instance whose network is to exist. */
export interface KnownInstance {
  readonly instanceId: string;
  readonly ports: readonly PortMapping[];
  /** What it had before, when that is known; what the kernel says wins. */
  readonly address?: string;
}

export interface BringUpOptions {
  readonly checked: CheckedOptions;
  readonly mtu: number | undefined;
  readonly tools: NetworkTools;
  readonly addresses: AddressBook;
  readonly logger: Logger;
}

export interface BroughtUp {
  readonly settings: NetworkSettings;
  readonly plan: NetworkPlan;
  /** Those that were asked for, or found in the kernel when nobody was named. */
  readonly instances: readonly InstanceNetwork[];
}

/**
 * Reads the kernel and makes it as it should be for `known`; without `known`, for those whose networks it finds.
 * Resets the address book. Safe to repeat at any moment, also after a crash in the middle.
 */
export async function bringUp(
  options: BringUpOptions,
  known: readonly KnownInstance[] | undefined,
): Promise<BroughtUp> {
  const { checked, tools, logger } = options;
  const settings = await findSettings(options);
  const nameOf = (instanceId: string) => namespaceNameOf(checked.namePrefix, instanceId);
  const knownNamespaces = new Set(known?.map(({ instanceId }) => nameOf(instanceId)));
  const current = await readKernel({
    tools,
    settings,
    namePrefix: checked.namePrefix,
    isKnown: (namespace) => known === undefined || knownNamespaces.has(namespace),
  });
  const instances =
    known === undefined
      ? found(current)
      : withoutConflicts(placed(known, { current, addresses: options.addresses, nameOf, checked }), logger);
  const plan = planNetwork(current, { settings, instances });
  await executeSteps(plan.steps, tools);
  options.addresses.reset(new Map(plan.connected.map(({ namespace, address }) => [namespace, address])));
  return { settings, plan, instances };
}

async function findSettings({ checked, mtu, tools }: BringUpOptions): Promise<NetworkSettings> {
  const routes = await tools.ip.routes();
  requireFreeSubnet(checked, routes);
  const { bridge, subnet, table } = checked;
  return {
    bridge,
    subnet,
    table,
    mtu: mtu ?? (await chooseMtu(tools.ip, routes)),
    hasIpv6: (await readSysctl('net/ipv6/conf/default/disable_ipv6')) !== undefined,
  };
}

/** What the kernel has, as if it had been asked for. */
function found(current: CurrentNetwork): InstanceNetwork[] {
  const names = new Set(current.namespaces.map(({ name }) => name));
  return current.interfaces.flatMap(({ name, label }) => {
    if (label === undefined || !names.has(label.namespace)) return [];
    const { instanceId: id, namespace, address } = label;
    const ports = (current.published ?? []).filter((port) => port.address === address);
    return [{ id, namespace, hostInterface: name, address, ports }];
  });
}

/** Gives each its address: the one in the kernel, else the one it had, else a new one. */
function placed(
  known: readonly KnownInstance[],
  by: {
    readonly current: CurrentNetwork;
    readonly addresses: AddressBook;
    readonly nameOf: (instanceId: string) => string;
    readonly checked: CheckedOptions;
  },
): InstanceNetwork[] {
  const inKernel = new Map(
    by.current.interfaces.flatMap(({ label }) =>
      label !== undefined && isAssignable(by.checked.network, label.address)
        ? [[label.namespace, label.address]]
        : [],
    ),
  );
  by.addresses.reset(inKernel);
  // Who brings an address along comes first, so that nobody new gets it.
  const ordered = [...known].sort(
    (a, b) => Number(b.address !== undefined) - Number(a.address !== undefined),
  );
  return ordered.map(({ instanceId, ports, address }) => {
    const namespace = by.nameOf(instanceId);
    return {
      id: instanceId,
      namespace,
      hostInterface: hostInterfaceNameOf(instanceId),
      address: by.addresses.take(namespace, address),
      ports,
    };
  });
}

/** Two that claim one port cannot both have it; the kernel would refuse the whole table. */
function withoutConflicts(instances: readonly InstanceNetwork[], logger: Logger): InstanceNetwork[] {
  const conflicts = findPortConflicts(instances);
  for (const { hostPort, protocol, owners } of conflicts) {
    logger.error('two instances claim one port of this host; the first one keeps it', {
      port: hostPort,
      protocol,
      keeps: owners[0],
      loses: owners[1],
    });
  }
  return instances.map((instance) => ({
    ...instance,
    ports: instance.ports.filter(
      (port) =>
        !conflicts.some(
          ({ hostPort, protocol, owners }) =>
            owners[1] === instance.id && hostPort === port.hostPort && protocol === port.protocol,
        ),
    ),
  }));
}
