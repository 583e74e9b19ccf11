import { type Conntrack, type Ip, type Nft, writeSysctl } from '@oakestra/host';
import { type ConntrackFilter, INSTANCE_INTERFACE, type NetworkStep } from '@oakestra/netplan';

/** The programs that change the kernel's network. */
export interface NetworkTools {
  readonly ip: Ip;
  readonly nft: Nft;
  readonly conntrack: Conntrack;
}

/** What a step comes down to. Neighbouring `ip` lines for one place become one process. */
type Action =
  | {
      readonly tool: 'ip';
      readonly namespace?: string;
      readonly isTolerant?: boolean;
      readonly lines: readonly string[];
    }
  | { readonly tool: 'nft'; readonly text: string }
  | { readonly tool: 'sysctl'; readonly name: string; readonly value: string; readonly reason: string }
  | { readonly tool: 'conntrack'; readonly filter: ConntrackFilter };

type Executors = {
  readonly [Kind in NetworkStep['kind']]: (step: Extract<NetworkStep, { kind: Kind }>) => Action;
};

const removal = (line: string): Action => ({ tool: 'ip', isTolerant: true, lines: [line] });
const rules = ({ text }: { readonly text: string }): Action => ({ tool: 'nft', text });
/** Without it each interface invents a link-local IPv6 address and talks about it. */
const quiet = (hasIpv6: boolean) => (hasIpv6 ? 'addrgenmode none ' : '');

const executors: Executors = {
  'create-bridge': ({ name, mac, mtu, hasIpv6 }) => ({
    tool: 'ip',
    lines: [
      `link add ${name} address ${mac} mtu ${mtu} type bridge forward_delay 0 mcast_snooping 0 nf_call_iptables 0`,
      ...(hasIpv6 ? [`link set dev ${name} addrgenmode none`] : []),
    ],
  }),
  'assign-bridge-address': ({ name, cidr }) => ({ tool: 'ip', lines: [`address add ${cidr} dev ${name}`] }),
  'remove-bridge-address': ({ name, cidr }) => removal(`address del ${cidr} dev ${name}`),
  'enable-bridge': ({ name }) => ({ tool: 'ip', lines: [`link set dev ${name} up`] }),
  'delete-bridge': ({ name }) => removal(`link del ${name}`),
  'set-sysctl': ({ name, value, reason }) => ({ tool: 'sysctl', name, value, reason }),
  'create-namespace': ({ namespace }) => ({ tool: 'ip', lines: [`netns add ${namespace}`] }),
  'connect-namespace': (step) => ({
    tool: 'ip',
    lines: [
      `link add ${step.hostInterface} mtu ${step.mtu} type veth ` +
        `peer name ${INSTANCE_INTERFACE} address ${step.mac} mtu ${step.mtu} netns ${step.namespace}`,
      `link set dev ${step.hostInterface} ${quiet(step.hasIpv6)}alias "${step.alias}" master ${step.bridge} up`,
      // With br_netfilter an instance reaches its own published port through the port that it came from.
      `link set dev ${step.hostInterface} type bridge_slave hairpin on`,
    ],
  }),
  'plug-in-interface': ({ name, bridge }) => ({
    tool: 'ip',
    lines: [`link set dev ${name} master ${bridge} up`, `link set dev ${name} type bridge_slave hairpin on`],
  }),
  'configure-namespace': ({ namespace, cidr, gateway, hasIpv6 }) => ({
    tool: 'ip',
    namespace,
    lines: [
      'link set dev lo up',
      `address add ${cidr} dev ${INSTANCE_INTERFACE}`,
      `link set dev ${INSTANCE_INTERFACE} ${quiet(hasIpv6)}up`,
      `route add default via ${gateway}`,
    ],
  }),
  'delete-namespace': ({ namespace }) => removal(`netns del ${namespace}`),
  'delete-interface': ({ name }) => removal(`link del ${name}`),
  'replace-rules': rules,
  'change-rules': rules,
  'delete-rules': rules,
  'accept-in-foreign-chain': rules,
  'withdraw-from-foreign-chain': rules,
  'flush-conntrack': ({ filter }) => ({ tool: 'conntrack', filter }),
};

function actionOf<Step extends NetworkStep>(step: Step): Action {
  const execute = executors[step.kind] as (step: Step) => Action;
  return execute(step);
}

function merge(actions: readonly Action[]): Action[] {
  const merged: Action[] = [];
  for (const action of actions) {
    const last = merged.at(-1);
    const isSamePlace =
      action.tool === 'ip' &&
      last?.tool === 'ip' &&
      last.namespace === action.namespace &&
      last.isTolerant === action.isTolerant;
    if (isSamePlace) merged[merged.length - 1] = { ...action, lines: [...last.lines, ...action.lines] };
    else merged.push(action);
  }
  return merged;
}

/** Carries out the steps in their order, in as few processes as possible; stops at the first failure. */
export async function executeSteps(
  steps: readonly NetworkStep[],
  tools: NetworkTools,
  signal?: AbortSignal,
): Promise<void> {
  for (const action of merge(steps.map(actionOf))) await perform(action, tools, signal);
}

async function perform(action: Action, tools: NetworkTools, signal: AbortSignal | undefined): Promise<void> {
  switch (action.tool) {
    case 'ip': {
      const { lines, namespace, isTolerant } = action;
      return tools.ip.batch(lines, {
        ...(namespace === undefined ? {} : { namespace }),
        ...(isTolerant === undefined ? {} : { isTolerant }),
        ...(signal === undefined ? {} : { signal }),
        // Deleting an interface waits for the kernel, tens of milliseconds each.
        timeoutMs: 10_000 + 100 * lines.length,
      });
    }
    case 'nft':
      return tools.nft.apply(action.text, signal);
    case 'sysctl':
      return writeSysctl(action.name, action.value, action.reason);
    case 'conntrack': {
      const { filter } = action;
      await tools.conntrack.forget(
        filter.kind === 'to-instance'
          ? { answeredBy: filter.address }
          : { protocol: filter.protocol, toPort: filter.hostPort },
        signal,
      );
    }
  }
}
