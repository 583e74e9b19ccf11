import type { PortMapping } from '@oakestra/contracts/port-mapping';

/** What is the same for all instances of one worker. */
export interface NetworkSettings {
  /** Name of the bridge, at most 15 characters. */
  readonly bridge: string;
  /** `10.19.0.0/16`; the first host is the bridge. */
  readonly subnet: string;
  /** Name of our table of family `ip` in nftables. */
  readonly table: string;
  /** Of the bridge and of every instance. */
  readonly mtu: number;
  /** Does the kernel speak IPv6? Then we keep it quiet on our interfaces. */
  readonly hasIpv6: boolean;
}

/** One instance on the bridge. */
export interface InstanceNetwork {
  /** `<job name>.instance.<n>`. */
  readonly id: string;
  /** Name under `/run/netns`. */
  readonly namespace: string;
  /** The end of its cable on the host, at most 15 characters. */
  readonly hostInterface: string;
  readonly address: string;
  readonly ports: readonly PortMapping[];
}

/** An instance's end of the cable, in its own namespace. */
export const INSTANCE_INTERFACE = 'eth0';
