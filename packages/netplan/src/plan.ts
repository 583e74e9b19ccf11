import { gatewayOf } from './address-pool.ts';
import {
  type AcceptancePlan,
  type ForeignChain,
  planAcceptance,
  planWithdrawal,
  renderAcceptance,
  renderAcceptanceRemoval,
} from './foreign-firewall.ts';
import { macOf, parseIpv4, parseIpv4Network } from './ipv4.ts';
import { portKey } from './port-mapping.ts';
import { renderRemoval, renderRuleSet } from './rule-set.ts';
import type { InstanceNetwork, NetworkSettings } from './settings.ts';
import { type CurrentInterface, type CurrentNetwork, formatInterfaceLabel } from './snapshot.ts';
import type { NetworkStep } from './steps.ts';

/** The way from what is to what should be. */
export interface NetworkPlan {
  /** In this order. Nothing is done twice: a plan for the wanted state has rules to rewrite and nothing else. */
  readonly steps: readonly NetworkStep[];
  /** Ids whose namespace stays as it is. */
  readonly kept: readonly string[];
  /** Ids that get a new namespace: a process that ran in the old one has no network any more. */
  readonly created: readonly string[];
  /** Namespaces of nobody we know, removed. */
  readonly removed: readonly string[];
  /** Namespaces of nobody we know with processes in them: kept and shown (ownership rule 2 of the design). */
  readonly quarantined: readonly string[];
  /** All that have published ports afterwards: the wanted ones, and those in quarantine. */
  readonly connected: readonly InstanceNetwork[];
  /** For people: firewalls that we may not change and that drop our traffic. */
  readonly obstacles: readonly string[];
}

/** What a full plan starts from. */
export interface WantedNetwork {
  readonly settings: NetworkSettings;
  readonly instances: readonly InstanceNetwork[];
}

/** From any state (also one left by a crash) to the wanted one; what is right already is not touched. */
export function planNetwork(current: CurrentNetwork, wanted: WantedNetwork): NetworkPlan {
  const { settings } = wanted;
  const leftovers = findLeftovers(current, wanted);
  const kept = wanted.instances.filter((instance) => cableOf(current, instance) !== undefined);
  const created = wanted.instances.filter((instance) => cableOf(current, instance) === undefined);
  const strangers = leftovers.quarantined.flatMap((name) => asInstance(current, name));
  const connected = withStrangers(wanted.instances, strangers);
  const acceptance = planFirewalls(settings, current.foreignChains);
  return {
    steps: [
      ...leftovers.steps,
      ...created.flatMap((instance) => removeRemains(current, instance)),
      ...planBridge(current, settings),
      ...planSysctls(current, settings),
      ...[...kept, ...strangers].flatMap((instance) => plugIn(current, settings, instance)),
      ...inPhases(created.map((instance) => connectSteps(settings, instance))),
      { kind: 'replace-rules', text: renderRuleSet(settings, connected) },
      ...acceptance.steps,
      ...leftovers.addresses.map(flushInstance),
    ],
    kept: kept.map(({ id }) => id),
    created: created.map(({ id }) => id),
    removed: leftovers.removed,
    quarantined: leftovers.quarantined,
    connected,
    obstacles: acceptance.obstacles,
  };
}

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

/** Removes every trace. Global switches such as `ip_forward` stay: others may rely on them by now. */
export function planPurge(current: CurrentNetwork, settings: NetworkSettings): NetworkStep[] {
  return [
    ...current.namespaces.flatMap(({ name }) => disconnectSteps({ namespace: name })),
    ...current.interfaces.map(({ name }): NetworkStep => ({ kind: 'delete-interface', name })),
    ...(current.bridge === undefined
      ? []
      : [{ kind: 'delete-bridge', name: settings.bridge } satisfies NetworkStep]),
    ...(current.published === undefined
      ? []
      : [{ kind: 'delete-rules', text: renderRemoval(settings) } satisfies NetworkStep]),
    ...planWithdrawal(current.foreignChains).map(withdrawStep),
  ];
}

/** Only the part of a plan that concerns firewalls of others: they come and go while we run. */
export function planFirewalls(
  settings: NetworkSettings,
  foreignChains: readonly ForeignChain[],
): { readonly steps: readonly NetworkStep[]; readonly obstacles: readonly string[] } {
  const acceptance: AcceptancePlan = planAcceptance(settings, foreignChains);
  const inserts = acceptance.insert.map(
    (target): NetworkStep => ({
      kind: 'accept-in-foreign-chain',
      target,
      text: renderAcceptance(settings, target),
      reason: `another firewall drops forwarded packets; ${target.chain} has to let ${settings.bridge} pass`,
    }),
  );
  return { steps: [...acceptance.withdraw.map(withdrawStep), ...inserts], obstacles: acceptance.obstacles };
}

function withdrawStep(target: AcceptancePlan['withdraw'][number]): NetworkStep {
  return {
    kind: 'withdraw-from-foreign-chain',
    target: { table: target.table, chain: target.chain },
    text: renderAcceptanceRemoval(target),
  };
}

function flushInstance(address: string): NetworkStep {
  return { kind: 'flush-conntrack', filter: { kind: 'to-instance', address } };
}

function planBridge(current: CurrentNetwork, settings: NetworkSettings): NetworkStep[] {
  const network = parseIpv4Network(settings.subnet);
  const gateway = gatewayOf(network);
  const name = settings.bridge;
  const cidr = `${gateway}/${network.prefixLength}`;
  const { bridge } = current;
  const steps: NetworkStep[] = [];
  if (bridge === undefined) {
    const { mtu, hasIpv6 } = settings;
    steps.push({ kind: 'create-bridge', name, mac: macOf(network.address + 1), mtu, hasIpv6 });
  }
  const cidrs = bridge?.cidrs ?? [];
  steps.push(
    ...cidrs
      .filter((other) => other !== cidr)
      .map((other): NetworkStep => ({ kind: 'remove-bridge-address', name, cidr: other })),
  );
  if (!cidrs.includes(cidr)) steps.push({ kind: 'assign-bridge-address', name, cidr });
  if (bridge?.isUp !== true) steps.push({ kind: 'enable-bridge', name });
  return steps;
}

/** The switches of the kernel that the network needs, by name with slashes. */
export function wantedSysctls(settings: NetworkSettings): readonly {
  readonly name: string;
  readonly value: string;
  readonly reason: string;
}[] {
  return [
    { name: 'net/ipv4/ip_forward', value: '1', reason: 'instances reach the network through this host' },
    {
      name: `net/ipv4/conf/${settings.bridge}/route_localnet`,
      value: '1',
      reason: 'published ports answer on 127.0.0.1',
    },
  ];
}

function planSysctls(current: CurrentNetwork, settings: NetworkSettings): NetworkStep[] {
  return wantedSysctls(settings)
    .filter(({ name, value }) => current.sysctls[name] !== value)
    .map((sysctl) => ({ kind: 'set-sysctl', ...sysctl }));
}

/** The cable of an instance that is as it should be, plugged in or not. */
function cableOf(current: CurrentNetwork, instance: InstanceNetwork): CurrentInterface | undefined {
  const { namespace, hostInterface, address } = instance;
  if (!current.namespaces.some(({ name }) => name === namespace)) return undefined;
  return current.interfaces.find(({ name, label }) => name === hostInterface && label?.address === address);
}

/** Cables fall out when the bridge is deleted behind our back; the instances need not notice. */
function plugIn(
  current: CurrentNetwork,
  settings: NetworkSettings,
  instance: InstanceNetwork,
): NetworkStep[] {
  const cable = cableOf(current, instance);
  if (cable === undefined || cable.bridge === settings.bridge) return [];
  return [{ kind: 'plug-in-interface', name: cable.name, bridge: settings.bridge }];
}

/** First all first steps, then all second ones: neighbours of one kind go to the kernel together. */
function inPhases(lists: readonly (readonly NetworkStep[])[]): NetworkStep[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, phase) => lists.flatMap((list) => list[phase] ?? [])).flat();
}

/** Half of an instance's network, or one with another address: made anew. */
function removeRemains(current: CurrentNetwork, instance: InstanceNetwork): NetworkStep[] {
  const steps: NetworkStep[] = [];
  if (current.interfaces.some(({ name }) => name === instance.hostInterface)) {
    steps.push({ kind: 'delete-interface', name: instance.hostInterface });
  }
  if (current.namespaces.some(({ name }) => name === instance.namespace)) {
    steps.push({ kind: 'delete-namespace', namespace: instance.namespace });
  }
  return steps;
}

interface Leftovers {
  readonly steps: readonly NetworkStep[];
  readonly removed: readonly string[];
  readonly quarantined: readonly string[];
  /** Where connections of those that are gone still lead. */
  readonly addresses: readonly string[];
}

function findLeftovers(current: CurrentNetwork, wanted: WantedNetwork): Leftovers {
  const known = new Set(wanted.instances.map(({ namespace }) => namespace));
  const knownCables = new Set(wanted.instances.map(({ hostInterface }) => hostInterface));
  const unknown = current.namespaces.filter(({ name }) => !known.has(name));
  const quarantined = unknown.filter(({ isInUse }) => isInUse).map(({ name }) => name);
  const removed = unknown.filter(({ isInUse }) => !isInUse).map(({ name }) => name);
  const cables = current.interfaces.filter(
    ({ name, label }) => !knownCables.has(name) && !quarantined.includes(label?.namespace ?? ''),
  );
  const published = current.published ?? [];
  const stays = new Set([
    ...wanted.instances.map(({ address }) => address),
    ...quarantined.flatMap((name) => asInstance(current, name)).map(({ address }) => address),
  ]);
  const gone = published.map(({ address }) => address).filter((address) => !stays.has(address));
  return {
    steps: [
      ...cables.map(({ name }): NetworkStep => ({ kind: 'delete-interface', name })),
      ...removed.flatMap((namespace) => disconnectSteps({ namespace })),
    ],
    removed,
    quarantined,
    addresses: [...new Set(gone)],
  };
}

/** Traffic of strangers goes on, except on ports that somebody we know has now. */
function withStrangers(known: readonly InstanceNetwork[], strangers: readonly InstanceNetwork[]) {
  const taken = new Set(known.flatMap(({ ports }) => ports.map(portKey)));
  return [
    ...known,
    ...strangers.map((stranger) => ({
      ...stranger,
      ports: stranger.ports.filter((port) => !taken.has(portKey(port))),
    })),
  ];
}

/** An instance as the kernel remembers it: its cable's label and the ports that lead to it. */
function asInstance(current: CurrentNetwork, namespace: string): InstanceNetwork[] {
  return current.interfaces
    .filter((cable): cable is CurrentInterface & Required<Pick<CurrentInterface, 'label'>> => {
      return cable.label?.namespace === namespace;
    })
    .map(({ name, label }) => ({
      id: label.instanceId,
      namespace,
      hostInterface: name,
      address: label.address,
      ports: (current.published ?? []).filter(({ address }) => address === label.address),
    }));
}
