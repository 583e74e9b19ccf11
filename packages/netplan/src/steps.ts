import type { PortProtocol } from '@oakestra/contracts/port-mapping';
import type { Acceptance } from './foreign-firewall.ts';

/** Which tracked connections are stale: those that were sent to an instance, or that knew a port before it was published. */
export type ConntrackFilter =
  | { readonly kind: 'to-instance'; readonly address: string }
  | { readonly kind: 'to-host-port'; readonly hostPort: number; readonly protocol: PortProtocol };

/** One change of the kernel's network. An executor is a table over `kind`. */
export type NetworkStep =
  | {
      readonly kind: 'create-bridge';
      readonly name: string;
      readonly mac: string;
      readonly mtu: number;
      readonly hasIpv6: boolean;
    }
  | { readonly kind: 'assign-bridge-address'; readonly name: string; readonly cidr: string }
  | { readonly kind: 'remove-bridge-address'; readonly name: string; readonly cidr: string }
  | { readonly kind: 'enable-bridge'; readonly name: string }
  | { readonly kind: 'delete-bridge'; readonly name: string }
  /** `name` as in `net.ipv4.ip_forward`, but with slashes; `reason` is for the message when it is refused. */
  | { readonly kind: 'set-sysctl'; readonly name: string; readonly value: string; readonly reason: string }
  | { readonly kind: 'create-namespace'; readonly namespace: string }
  | {
      readonly kind: 'connect-namespace';
      readonly namespace: string;
      readonly hostInterface: string;
      readonly bridge: string;
      readonly mac: string;
      readonly mtu: number;
      readonly hasIpv6: boolean;
      /** Kept by the kernel with the interface, so that a restarted worker can read it back. */
      readonly alias: string;
    }
  | { readonly kind: 'plug-in-interface'; readonly name: string; readonly bridge: string }
  | {
      readonly kind: 'configure-namespace';
      readonly namespace: string;
      readonly cidr: string;
      readonly gateway: string;
      readonly hasIpv6: boolean;
    }
  /** Takes the other end of its cable along, a moment later. */
  | { readonly kind: 'delete-namespace'; readonly namespace: string }
  | { readonly kind: 'delete-interface'; readonly name: string }
  /** `text` is one transaction of nftables. */
  | { readonly kind: 'replace-rules'; readonly text: string }
  | { readonly kind: 'change-rules'; readonly text: string }
  | { readonly kind: 'delete-rules'; readonly text: string }
  | {
      readonly kind: 'accept-in-foreign-chain';
      readonly target: Acceptance;
      readonly text: string;
      readonly reason: string;
    }
  | { readonly kind: 'withdraw-from-foreign-chain'; readonly target: Acceptance; readonly text: string }
  /** To be done where the means are there; without it, packets go astray until the entries expire. */
  | { readonly kind: 'flush-conntrack'; readonly filter: ConntrackFilter };
