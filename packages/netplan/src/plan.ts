import { gatewayOf } from './address-pool.ts';
import {
  type AcceptancePlan,
  type ForeignChain,
  planAcceptance,
  planWithdrawal,
  renderAcceptance,
  renderAcceptanceRemoval,
} from './foreign-firewall.ts';
import {
  cableOf,
  connectSteps,
  disconnectSteps,
  flushInstance,
  plugIn,
  removeRemains,
} from './instance-steps.ts';
import { macOf, parseIpv4Network } from './ipv4.ts';
import { asInstance, findLeftovers, withStrangers } from './leftovers.ts';
import { renderRemoval, renderRuleSet } from './rule-set.ts';
import type { InstanceNetwork, NetworkSettings } from './settings.ts';
import type { CurrentNetwork } from './snapshot.ts';
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
  const leftovers = findLeftovers(current, wanted.instances);
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

/** First all first steps, then all second ones: neighbours of one kind go to the kernel together. */
function inPhases(lists: readonly (readonly NetworkStep[])[]): NetworkStep[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, phase) => lists.flatMap((list) => list[phase] ?? [])).flat();
}
