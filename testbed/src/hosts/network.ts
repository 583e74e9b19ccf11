import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { eventually, onInterrupt, ownOwnerId, runCommand } from '../processes/index.ts';
import { type TestHost, testHost } from './host.ts';
import { type Endpoint, isPair, type LinkFaults, linkFaultRules, NO_FAULTS, portOf } from './link-faults.ts';
import {
  creationSteps,
  MAX_HOSTS,
  NETWORK_PREFIX,
  type NetworkPlan,
  pickSubnet,
  planNetwork,
  routedRanges,
} from './plan.ts';

export interface TestNetworkOptions {
  /** How many; 1 to 35. */
  readonly hosts: number;
  /** Such as `10.77.0.0/24`. Default: a free range in 198.18.0.0/15. */
  readonly subnet?: string;
}

export interface TestNetwork {
  readonly subnet: string;
  /** The machine that runs the test, as hosts see it. */
  readonly gatewayAddress: string;
  readonly hosts: readonly TestHost[];
  /** Nothing passes between the two any more, and nobody is told. */
  block(one: Endpoint, other: Endpoint): Promise<void>;
  unblock(one: Endpoint, other: Endpoint): Promise<void>;
  /** The host is cut off from everyone, silently; unlike `unplug()` it does not see that. */
  isolate(host: Endpoint): Promise<void>;
  rejoin(host: Endpoint): Promise<void>;
  /** Share of packets (0 to 1) that get lost from and to a host, each at random; 0 ends it. */
  lose(host: Endpoint, share: number): Promise<void>;
  /** Ends all faults of the switch and plugs all cables in. */
  heal(): Promise<void>;
  /** Kills what runs on the hosts and removes every trace. Idempotent; also done on SIGINT, SIGTERM and exit. */
  destroy(): Promise<void>;
}

/** Hosts in network namespaces, all on one switch, with the machine as their gateway. Needs root. */
export async function createTestNetwork({
  hosts: hostCount,
  subnet,
}: TestNetworkOptions): Promise<TestNetwork> {
  const plan = planNetwork({
    owner: ownOwnerId(),
    networkNumber: freeNetworkNumber(),
    hostCount,
    subnet: subnet ?? (await freeSubnet()),
  });
  const removeNow = () => removeNetworkNow(plan);
  const forget = onInterrupt(removeNow);
  try {
    for (const { namespace, lines } of creationSteps(plan)) {
      const place = namespace === undefined ? [] : ['-netns', namespace];
      await runCommand('ip', [...place, '-batch', '-'], { input: `${lines.join('\n')}\n` });
    }
    await keepFirewallOut(plan);
  } catch (error) {
    removeNow();
    forget();
    throw error;
  }

  const hosts = plan.hosts.map((host) => testHost(host, plan.switchNamespace));
  const change = faultSwitch(plan);
  return {
    subnet: plan.subnet,
    gatewayAddress: plan.gatewayAddress,
    hosts,
    block: (one, other) =>
      change((faults) => ({
        ...faults,
        blockedPairs: [...faults.blockedPairs, [portOf(one), portOf(other)]],
      })),
    unblock: (one, other) =>
      change((faults) => ({
        ...faults,
        blockedPairs: faults.blockedPairs.filter((pair) => !isPair(pair, portOf(one), portOf(other))),
      })),
    isolate: (host) =>
      change((faults) => ({ ...faults, isolatedPorts: [...faults.isolatedPorts, portOf(host)] })),
    rejoin: (host) =>
      change((faults) => ({
        ...faults,
        isolatedPorts: faults.isolatedPorts.filter((port) => port !== portOf(host)),
      })),
    lose: (host, share) =>
      change((faults) => {
        const { [portOf(host)]: _previous, ...others } = faults.losses;
        return { ...faults, losses: share > 0 ? { ...others, [portOf(host)]: share } : others };
      }),
    async heal() {
      await change(() => NO_FAULTS);
      for (const host of hosts) await host.plugIn();
    },
    async destroy() {
      await killInhabitants(plan);
      removeNow();
      forget();
    },
  };
}

/** Changes are applied one after the other, each as a whole. */
function faultSwitch({ switchNamespace }: NetworkPlan) {
  let faults = NO_FAULTS;
  let last: Promise<unknown> = Promise.resolve();
  return async (next: (faults: LinkFaults) => LinkFaults): Promise<void> => {
    const apply = async () => {
      const wanted = next(faults);
      await runCommand('nsenter', [`--net=/run/netns/${switchNamespace}`, '--', 'nft', '-f', '-'], {
        input: linkFaultRules(wanted),
      });
      faults = wanted;
    };
    const turn = last.then(apply);
    last = turn.catch(() => undefined);
    await turn;
  };
}

/** Where bridged traffic is shown to iptables, it would pass tables that others have set up. */
async function keepFirewallOut({ switchNamespace }: NetworkPlan): Promise<void> {
  const switches = ['iptables', 'ip6tables', 'arptables'].map(
    (table) => `net.bridge.bridge-nf-call-${table}=0`,
  );
  await runCommand(
    'nsenter',
    [`--net=/run/netns/${switchNamespace}`, '--', 'sysctl', '--ignore', '-qw', ...switches],
    {
      okCodes: [0, 1, 255],
    },
  );
}

async function freeSubnet(): Promise<string> {
  const { stdout } = await runCommand('ip', ['-json', '-4', 'route', 'show', 'table', 'all']);
  const routes = JSON.parse(stdout.trim() === '' ? '[]' : stdout) as { readonly dst?: string }[];
  return pickSubnet(routedRanges(routes), process.pid);
}

export const NAMESPACE_FOLDER = '/run/netns';

function namespaceNames(): string[] {
  try {
    return readdirSync(NAMESPACE_FOLDER);
  } catch {
    return [];
  }
}

/** Namespaces tell which numbers this process uses already. */
function freeNetworkNumber(): number {
  const taken = new Set(
    namespaceNames()
      .filter((name) => name.startsWith(`${NETWORK_PREFIX}${ownOwnerId()}s`))
      .map((name) => Number.parseInt(name.at(-2) ?? '', 36)),
  );
  let number = 0;
  while (taken.has(number) && number < MAX_HOSTS) number++;
  return number;
}

function inhabitants(namespace: string): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(Boolean).map(Number);
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }
}

async function killInhabitants({ hosts }: NetworkPlan): Promise<void> {
  await eventually(
    () => {
      const pids = hosts.flatMap((host) => inhabitants(host.namespace));
      kill(pids);
      return pids.length === 0;
    },
    { timeoutMs: 10_000, describe: 'all processes of the test hosts to end', intervalMs: 10 },
  );
}

/** Removes a network without waiting for anything, as the last act of a process. */
function removeNetworkNow({ uplink, switchNamespace, hosts }: NetworkPlan): void {
  removeLink(uplink);
  for (const namespace of [...hosts.map((host) => host.namespace), switchNamespace])
    removeNamespace(namespace);
}

export function removeLink(name: string): void {
  spawnSync('ip', ['link', 'delete', name], { stdio: 'ignore' });
}

/** Kills what is in it, too: a namespace lives as long as its last process. */
export function removeNamespace(name: string): void {
  if (!namespaceNames().includes(name)) return;
  kill(inhabitants(name));
  spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
}
