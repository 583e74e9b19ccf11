import type { PortMapping, PortProtocol } from '@oakestra/contracts/port-mapping';
import type { InstanceNetwork, NetworkSettings } from './settings.ts';

/** Published ports of one address. */
export interface Publication {
  readonly address: string;
  readonly ports: readonly PortMapping[];
}

const PROTOCOLS: readonly PortProtocol[] = ['tcp', 'udp'];

/** Name of the map from host port to instance. */
export function publishedMap(protocol: PortProtocol): string {
  return `published_${protocol}`;
}

/**
 * The whole table as text for `nft -f`: one transaction that replaces whatever stood there. Traffic is told apart
 * by two maps (port → address and port of the instance), so that attaching an instance later touches no rule.
 */
export function renderRuleSet(settings: NetworkSettings, instances: readonly InstanceNetwork[]): string {
  const { table, bridge, subnet } = settings;
  return [
    // Declaring first makes the deletion succeed when there is no table yet.
    `table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    ...PROTOCOLS.flatMap((protocol) => renderMap(protocol, instances)),
    // route_localnet lets replies to 127.0.0.1 pass; nobody on a wire may use that to reach loopback services.
    '  chain guard {',
    '    type filter hook prerouting priority -300; policy accept;',
    '    iifname != "lo" ip daddr 127.0.0.0/8 drop',
    '    iifname != "lo" ip saddr 127.0.0.0/8 drop',
    `    iifname "${bridge}" ip saddr != ${subnet} drop`,
    '  }',
    '  chain from_network {',
    '    type nat hook prerouting priority -100; policy accept;',
    ...renderTranslation(),
    '  }',
    '  chain from_host {',
    '    type nat hook output priority -100; policy accept;',
    ...renderTranslation(),
    '  }',
    '  chain outgoing {',
    '    type nat hook postrouting priority 100; policy accept;',
    // An instance cannot answer to 127.0.0.1, and must not answer another instance past the translation.
    `    oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade`,
    `    oifname "${bridge}" ip saddr ${subnet} ct status dnat masquerade`,
    `    oifname != "${bridge}" ip saddr ${subnet} masquerade`,
    '  }',
    '  chain forwarded {',
    '    type filter hook forward priority 0; policy accept;',
    `    iifname "${bridge}" accept`,
    `    oifname "${bridge}" ct state established,related accept`,
    `    oifname "${bridge}" ct status dnat accept`,
    // Whoever has a route to the sub-network still reaches published ports only.
    `    oifname "${bridge}" drop`,
    '  }',
    '}',
    '',
  ].join('\n');
}

function renderMap(protocol: PortProtocol, instances: readonly InstanceNetwork[]): string[] {
  const elements = elementsOf(protocol, instances);
  return [
    `  map ${publishedMap(protocol)} {`,
    '    type inet_service : ipv4_addr . inet_service',
    ...(elements.length === 0 ? [] : [`    elements = { ${elements.join(', ')} }`]),
    '  }',
  ];
}

function renderTranslation(): string[] {
  return PROTOCOLS.map(
    (protocol) =>
      `    fib daddr type local dnat ip addr . port to ${protocol} dport map @${publishedMap(protocol)}`,
  );
}

function elementsOf(protocol: PortProtocol, publications: readonly Publication[]): string[] {
  return publications.flatMap(({ address, ports }) =>
    ports
      .filter((port) => port.protocol === protocol)
      .map((port) => `${port.hostPort} : ${address} . ${port.containerPort}`),
  );
}

/** What changes between two full rewrites: elements of the maps, nothing else. */
export interface RuleChange {
  readonly publish: readonly Publication[];
  readonly withdraw: readonly Publication[];
}

/**
 * One transaction for a change; empty when it touches no port. Publishing what is published already is no error,
 * withdrawing what is absent is: the table was changed behind our back and has to be rewritten as a whole.
 */
export function renderRuleChange(settings: NetworkSettings, change: RuleChange): string {
  const lines = PROTOCOLS.flatMap((protocol) => [
    ...elementLine(settings, { verb: 'delete', protocol, publications: change.withdraw }),
    ...elementLine(settings, { verb: 'add', protocol, publications: change.publish }),
  ]);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function elementLine(
  settings: NetworkSettings,
  line: {
    readonly verb: 'add' | 'delete';
    readonly protocol: PortProtocol;
    readonly publications: readonly Publication[];
  },
): string[] {
  const elements = elementsOf(line.protocol, line.publications);
  if (elements.length === 0) return [];
  const map = publishedMap(line.protocol);
  return [`${line.verb} element ip ${settings.table} ${map} { ${elements.join(', ')} }`];
}

/** Removes the table; no error when there is none. */
export function renderRemoval(settings: NetworkSettings): string {
  return `table ip ${settings.table}\ndelete table ip ${settings.table}\n`;
}
