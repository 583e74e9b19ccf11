import { UPLINK_PORT } from './plan.ts';

/** What is wrong with the cables of a network. Ports as in the plan; `uplink` is the machine itself. */
export interface LinkFaults {
  /** Nothing passes from or to these ports. */
  readonly isolatedPorts: readonly string[];
  /** Nothing passes between the two, in either direction. */
  readonly blockedPairs: readonly (readonly [string, string])[];
  /** Share of packets (0 to 1) that vanish from and to a port. */
  readonly losses: Readonly<Record<string, number>>;
}

export const NO_FAULTS: LinkFaults = { isolatedPorts: [], blockedPairs: [], losses: {} };

const LOSS_STEPS = 10_000;

/** The nftables text that replaces all rules of the switch in one step. */
export function linkFaultRules({ isolatedPorts, blockedPairs, losses }: LinkFaults): string {
  const rules = [
    ...isolatedPorts.flatMap((port) => bothWays(port, 'drop')),
    ...blockedPairs.flatMap(([one, other]) => [
      `iifname "${one}" oifname "${other}" drop`,
      `iifname "${other}" oifname "${one}" drop`,
    ]),
    ...Object.entries(losses).flatMap(([port, share]) =>
      bothWays(port, `numgen random mod ${LOSS_STEPS} < ${Math.round(share * LOSS_STEPS)} drop`),
    ),
  ];
  return `add table bridge testbed
delete table bridge testbed
table bridge testbed {
  chain forward {
    type filter hook forward priority 0; policy accept;
${rules.map((rule) => `    ${rule}\n`).join('')}  }
}
`;
}

function bothWays(port: string, action: string): string[] {
  return [`iifname "${port}" ${action}`, `oifname "${port}" ${action}`];
}

/** Pairs are the same in either order. */
export function isPair(pair: readonly [string, string], one: string, other: string): boolean {
  return (pair[0] === one && pair[1] === other) || (pair[0] === other && pair[1] === one);
}

/** Port of a host, or of the machine that runs the test. */
export type Endpoint = { readonly switchPort: string } | 'gateway';

export function portOf(endpoint: Endpoint): string {
  return endpoint === 'gateway' ? UPLINK_PORT : endpoint.switchPort;
}
