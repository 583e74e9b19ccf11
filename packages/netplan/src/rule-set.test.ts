import { describe, expect, it } from 'vitest';
import { parsePortMappings } from './port-mapping.ts';
import { renderRemoval, renderRuleChange, renderRuleSet } from './rule-set.ts';
import type { InstanceNetwork, NetworkSettings } from './settings.ts';

const settings: NetworkSettings = {
  bridge: 'oak0',
  subnet: '10.19.0.0/16',
  table: 'oakestra',
  mtu: 1500,
  hasIpv6: true,
};

function instance(number: number, ports: string): InstanceNetwork {
  return {
    id: `shop.prod.web.prod.instance.${number}`,
    namespace: `oak-${number}`,
    hostInterface: `oakv${number}`,
    address: `10.19.0.${number + 2}`,
    ports: parsePortMappings(ports),
  };
}

describe('rule set', () => {
  it('replaces the table in one transaction, with all published ports', () => {
    const text = renderRuleSet(settings, [instance(0, '8080:80;53/udp'), instance(1, '9000')]);
    expect(text.startsWith('table ip oakestra\ndelete table ip oakestra\ntable ip oakestra {\n')).toBe(true);
    expect(text).toContain('elements = { 8080 : 10.19.0.2 . 80, 9000 : 10.19.0.3 . 9000 }');
    expect(text).toContain('elements = { 53 : 10.19.0.2 . 53 }');
  });

  it('has no empty element lists, which nft would refuse', () => {
    expect(renderRuleSet(settings, [])).not.toContain('elements');
  });

  it('shields loopback services before it opens the bridge for replies to them', () => {
    const text = renderRuleSet(settings, []);
    expect(text).toContain('type filter hook prerouting priority -300');
    expect(text).toContain('iifname != "lo" ip daddr 127.0.0.0/8 drop');
    expect(text.indexOf('ct status dnat accept')).toBeLessThan(text.indexOf('oifname "oak0" drop'));
  });

  it('changes single elements when one instance comes or goes', () => {
    const change = { publish: [instance(0, '8080:80;53/udp')], withdraw: [instance(1, '9000')] };
    expect(renderRuleChange(settings, change).split('\n')).toEqual([
      'delete element ip oakestra published_tcp { 9000 : 10.19.0.3 . 9000 }',
      'add element ip oakestra published_tcp { 8080 : 10.19.0.2 . 80 }',
      'add element ip oakestra published_udp { 53 : 10.19.0.2 . 53 }',
      '',
    ]);
  });

  it('needs no transaction for an instance without ports', () => {
    expect(renderRuleChange(settings, { publish: [instance(0, '')], withdraw: [] })).toBe('');
  });

  it('can be removed whether it is there or not', () => {
    expect(renderRemoval(settings)).toBe('table ip oakestra\ndelete table ip oakestra\n');
  });
});
