import { gatewayOf } from './address-pool.ts';
import { macOf, parseIpv4, parseIpv4Network } from './ipv4.ts';
import type { InstanceNetwork, NetworkSettings } from './settings.ts';
import { type CurrentInterface, type CurrentNetwork, formatInterfaceLabel } from './snapshot.ts';
import type { NetworkStep } from './steps.ts';

/** The namespace and the cable of one new instance; publishing its ports is a change of rules. */
export function connectSteps(settings: NetworkSettings, instance: InstanceNetwork): NetworkStep[] {
  const { namespace, hostInterface, address, id } = instance;
  const network = parseIpv4Network(settings.subnet);
  const { mtu, hasIpv6, bridge } = settings;
  return [
    { kind: 'create-namespace', namespace },
    {
      kind: 'connect-namespace',
      namespace,
      hostInterface,
      bridge,
      mac: macOf(parseIpv4(address) ?? 0),
      mtu,
      hasIpv6,
      alias: formatInterfaceLabel({ namespace, address, instanceId: id }),
    },
    {
      kind: 'configure-namespace',
      namespace,
      cidr: `${address}/${network.prefixLength}`,
      gateway: gatewayOf(network),
      hasIpv6,
    },
  ];
}

/** Removes one instance from the kernel; withdrawing its ports is a change of rules. */
export function disconnectSteps(instance: Pick<InstanceNetwork, 'namespace'>): NetworkStep[] {
  return [{ kind: 'delete-namespace', namespace: instance.namespace }];
}

/** Clients of a UDP port that sent before it was published are remembered as going elsewhere. */
export function flushBeforePublishing(instance: InstanceNetwork): NetworkStep[] {
  return instance.ports
    .filter(({ protocol }) => protocol === 'udp')
    .map(({ hostPort, protocol }) => ({
      kind: 'flush-conntrack',
      filter: { kind: 'to-host-port', hostPort, protocol },
    }));
}

/** Connections to an instance that is gone; without UDP they end by themselves. */
export function flushAfterWithdrawing(instance: InstanceNetwork): NetworkStep[] {
  const hasUdp = instance.ports.some(({ protocol }) => protocol === 'udp');
  return hasUdp ? [flushInstance(instance.address)] : [];
}

/** Forgets connections that lead to an instance which is gone. */
export function flushInstance(address: string): NetworkStep {
  return { kind: 'flush-conntrack', filter: { kind: 'to-instance', address } };
}

/** The cable of an instance that is as it should be, plugged in or not. */
export function cableOf(current: CurrentNetwork, instance: InstanceNetwork): CurrentInterface | undefined {
  const { namespace, hostInterface, address } = instance;
  if (!current.namespaces.some(({ name }) => name === namespace)) return undefined;
  return current.interfaces.find(({ name, label }) => name === hostInterface && label?.address === address);
}

/** Cables fall out when the bridge is deleted behind our back; the instances need not notice. */
export function plugIn(
  current: CurrentNetwork,
  settings: NetworkSettings,
  instance: InstanceNetwork,
): NetworkStep[] {
  const cable = cableOf(current, instance);
  if (cable === undefined || cable.bridge === settings.bridge) return [];
  return [{ kind: 'plug-in-interface', name: cable.name, bridge: settings.bridge }];
}

/** Half of an instance's network, or one with another address: made anew. */
export function removeRemains(current: CurrentNetwork, instance: InstanceNetwork): NetworkStep[] {
  const steps: NetworkStep[] = [];
  if (current.interfaces.some(({ name }) => name === instance.hostInterface)) {
    steps.push({ kind: 'delete-interface', name: instance.hostInterface });
  }
  if (current.namespaces.some(({ name }) => name === instance.namespace)) {
    steps.push({ kind: 'delete-namespace', namespace: instance.namespace });
  }
  return steps;
}
