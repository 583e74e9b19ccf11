import { connectSteps, type NetworkSettings, type NetworkStep } from '@oakestra/netplan';
import { describe, expect, it } from 'vitest';
import { executeSteps, type NetworkTools } from './execute-steps.ts';

const settings: NetworkSettings = {
  bridge: 'oak0',
  subnet: '10.19.0.0/16',
  table: 'oakestra',
  mtu: 1400,
  hasIpv6: true,
};

function recorder() {
  const calls: string[][] = [];
  const tools: NetworkTools = {
    ip: {
      batch: async (lines, { namespace = '', isTolerant = false } = {}) => {
        calls.push([['ip', namespace, isTolerant ? 'tolerant' : ''].filter(Boolean).join(' '), ...lines]);
      },
      links: async () => [],
      routes: async () => [],
    },
    nft: {
      apply: async (text) => void calls.push(['nft', text]),
      chains: async () => [],
      rules: async () => [],
      portMaps: async () => undefined,
    },
    conntrack: {
      forget: async (connections) => {
        calls.push(['conntrack', JSON.stringify(connections)]);
        return true;
      },
    },
  };
  return { tools, calls };
}

describe('executing steps', () => {
  it('attaches an instance with two processes', async () => {
    const { tools, calls } = recorder();
    const instance = {
      id: 'a.instance.0',
      namespace: 'oak-1',
      hostInterface: 'oakv1',
      address: '10.19.0.2',
      ports: [],
    };
    await executeSteps(connectSteps(settings, instance), tools);
    expect(calls).toEqual([
      [
        'ip',
        'netns add oak-1',
        'link add oakv1 mtu 1400 type veth peer name eth0 address 02:0a:0a:13:00:02 mtu 1400 netns oak-1',
        'link set dev oakv1 addrgenmode none alias "oakestra oak-1 10.19.0.2 a.instance.0" master oak0 up',
        'link set dev oakv1 type bridge_slave hairpin on',
      ],
      [
        'ip oak-1',
        'link set dev lo up',
        'address add 10.19.0.2/16 dev eth0',
        'link set dev eth0 addrgenmode none up',
        'route add default via 10.19.0.1',
      ],
    ]);
  });

  it('removes with tolerance, apart from what must not fail', async () => {
    const { tools, calls } = recorder();
    const steps: NetworkStep[] = [
      { kind: 'delete-interface', name: 'oakv1' },
      { kind: 'delete-namespace', namespace: 'oak-1' },
      { kind: 'enable-bridge', name: 'oak0' },
    ];
    await executeSteps(steps, tools);
    expect(calls.map(([head]) => head)).toEqual(['ip tolerant', 'ip']);
  });

  it('keeps the order between tools', async () => {
    const { tools, calls } = recorder();
    const steps: NetworkStep[] = [
      { kind: 'enable-bridge', name: 'oak0' },
      { kind: 'replace-rules', text: 'rules' },
      { kind: 'flush-conntrack', filter: { kind: 'to-instance', address: '10.19.0.2' } },
      { kind: 'flush-conntrack', filter: { kind: 'to-host-port', hostPort: 53, protocol: 'udp' } },
    ];
    await executeSteps(steps, tools);
    expect(calls).toEqual([
      ['ip', 'link set dev oak0 up'],
      ['nft', 'rules'],
      ['conntrack', '{"answeredBy":"10.19.0.2"}'],
      ['conntrack', '{"protocol":"udp","toPort":53}'],
    ]);
  });

  it('leaves IPv6 alone where the kernel has none', async () => {
    const { tools, calls } = recorder();
    const bridge = { kind: 'create-bridge', name: 'oak0', mac: '02:00:00:00:00:01', mtu: 1500 } as const;
    await executeSteps([{ ...bridge, hasIpv6: false }], tools);
    expect(calls.flat().join()).not.toContain('addrgenmode');
  });
});
