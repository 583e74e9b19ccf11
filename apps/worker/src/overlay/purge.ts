import { OakestraError } from '@oakestra/contracts';
import { type NetworkSettings, planPurge } from '@oakestra/netplan';
import { executeSteps, type NetworkTools } from './execute-steps.ts';
import type { CheckedOptions } from './network-options.ts';
import { readKernel } from './read-kernel.ts';

/** Removes everything of ours from the kernel and makes sure; fails with `network-not-removed`. */
export async function purgeNetwork(options: {
  readonly tools: NetworkTools;
  readonly checked: CheckedOptions;
}): Promise<void> {
  const { tools, checked } = options;
  const { bridge, subnet, table, namePrefix } = checked;
  // Nothing is made here, so size and IPv6 do not matter.
  const settings: NetworkSettings = { bridge, subnet, table, mtu: 1500, hasIpv6: false };
  const read = () => readKernel({ tools, settings, namePrefix, isKnown: () => true });
  await executeSteps(planPurge(await read(), settings), tools);
  const rest = await read();
  const left = [
    ...rest.namespaces.map(({ name }) => `network namespace ${name}`),
    ...rest.interfaces.map(({ name }) => `interface ${name}`),
    ...(rest.bridge === undefined ? [] : [`interface ${bridge}`]),
    ...(rest.published === undefined ? [] : [`nftables table ip ${table}`]),
  ];
  if (left.length === 0) return;
  throw new OakestraError(
    'internal',
    'network-not-removed',
    `still there after removing the network: ${left.join(', ')}; remove them with "ip netns del", "ip link del" ` +
      'and "nft delete table"',
    { details: { left } },
  );
}
