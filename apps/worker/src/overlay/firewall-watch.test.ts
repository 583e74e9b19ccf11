import { createManualClock, type Logger } from '@oakestra/daemon';
import type { NftChain } from '@oakestra/host';
import { parseIpv4Network } from '@oakestra/netplan';
import { describe, expect, it } from 'vitest';
import { createAddressBook } from './address-book.ts';
import { createBackground } from './background.ts';
import { createFirewallWatch } from './firewall-watch.ts';
import { createGate } from './gate.ts';
import { createPortBook } from './port-book.ts';
import { createPublishedPorts } from './published-ports.ts';

const ours: NftChain = {
  family: 'ip',
  table: 'oakestra',
  name: 'forwarded',
  hook: 'forward',
  policy: 'accept',
};
const dropping: NftChain = { ...ours, table: 'filter', name: 'FORWARD', policy: 'drop' };

function watched(chains: NftChain[]) {
  const clock = createManualClock();
  const applied: string[] = [];
  const warnings: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message) => void warnings.push(message),
    error() {},
    child: () => logger,
  };
  const tools = {
    ip: { batch: async () => {}, links: async () => [], routes: async () => [] },
    nft: {
      apply: async (text: string) => void applied.push(text),
      chains: async () => chains,
      rules: async () => [],
      portMaps: async () => undefined,
    },
    conntrack: { forget: async () => true },
  };
  const settings = { bridge: 'oak0', subnet: '10.19.0.0/16', table: 'oakestra', mtu: 1500, hasIpv6: true };
  const background = createBackground(logger);
  const watch = createFirewallWatch({
    clock,
    logger,
    background,
    tools,
    gate: createGate(),
    published: createPublishedPorts({ nft: tools.nft, settings: () => settings, logger }),
    state: {
      settings,
      instances: new Map(),
      strangers: new Map(),
      addresses: createAddressBook(parseIpv4Network('10.19.0.0/16'), clock),
      ports: createPortBook(),
    },
  });
  watch.start();
  return { clock, watch, applied, warnings, background };
}

describe('the firewall watch', () => {
  it('does nothing while all is well', async () => {
    const { clock, applied } = watched([ours]);
    await clock.advance(120_000);
    expect(applied).toEqual([]);
  });

  it('writes our rules anew when somebody removed them', async () => {
    const chains: NftChain[] = [ours];
    const { clock, applied, warnings } = watched(chains);
    chains.length = 0;
    await clock.advance(30_000);
    expect(applied).toEqual([expect.stringContaining('delete table ip oakestra')]);
    expect(warnings).toEqual(['somebody removed our rules; writing them anew']);
  });

  it('passes a firewall that came later', async () => {
    const chains: NftChain[] = [ours];
    const { clock, applied } = watched(chains);
    chains.push(dropping);
    await clock.advance(30_000);
    expect(applied).toEqual([expect.stringContaining('insert rule ip filter FORWARD iifname "oak0"')]);
  });

  it('tells once about one that it may not change', async () => {
    const chains: NftChain[] = [ours, { ...dropping, family: 'inet', table: 'site' }];
    const { clock, watch, warnings } = watched(chains);
    await clock.advance(90_000);
    expect(warnings).toEqual(['traffic of instances is blocked']);
    expect(watch.obstacles()).toHaveLength(1);
    chains.pop();
    await clock.advance(30_000);
    expect(watch.obstacles()).toEqual([]);
  });

  it('ends with everything else', async () => {
    const { clock, watch, applied, background } = watched([]);
    watch.stop();
    await clock.advance(60_000);
    expect([applied, clock.pendingTimers]).toEqual([[], 0]);
    watch.start();
    await background.stop();
    await clock.advance(60_000);
    expect([applied, clock.pendingTimers]).toEqual([[], 0]);
  });
});
