import { createManualClock, type Logger } from '@oakestra/daemon';
import type { Ip, IpLink } from '@oakestra/host';
import { describe, expect, it } from 'vitest';
import { hasReachableNameserver, instanceHosts, instanceResolvConf } from './name-files.ts';
import { checkOptions, chooseMtu, requireFreeSubnet } from './network-options.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const base = { clock: createManualClock(), logger };

describe('resolv.conf of an instance', () => {
  it('has the servers an instance can reach, and search domains and options', () => {
    const host = `# made by hand
nameserver 127.0.0.53
nameserver 192.0.2.53
nameserver fe80::1%eth0
  nameserver   198.51.100.53
nameserver 0.0.0.0
search example.org lan
options edns0 trust-ad
sortlist 192.0.2.0
`;
    expect(instanceResolvConf(host)).toBe(
      'nameserver 192.0.2.53\nnameserver   198.51.100.53\nsearch example.org lan\noptions edns0 trust-ad\n',
    );
  });

  it('is told apart from one that only names a stub on loopback', () => {
    expect(hasReachableNameserver('nameserver 127.0.0.53\nsearch lan\n')).toBe(false);
    expect(hasReachableNameserver('nameserver 192.0.2.53\n')).toBe(true);
  });
});

describe('hosts of an instance', () => {
  it('names the instance at its address', () => {
    expect(instanceHosts({ hostname: 'web-0', address: '10.19.0.2' })).toMatch(/\n10\.19\.0\.2\tweb-0\n$/);
  });

  it('cannot be given further lines through the name', () => {
    const text = instanceHosts({ hostname: 'web\n192.0.2.1 bank.example', address: '10.19.0.2' });
    expect(text).not.toContain('bank.example');
    expect(text).toContain('localhost');
  });
});

describe('options of the network', () => {
  it('have defaults', () => {
    expect(checkOptions(base)).toMatchObject({
      subnet: '10.19.0.0/16',
      bridge: 'oak0',
      table: 'oakestra',
      namePrefix: 'oak',
    });
  });

  it.each([
    [{ bridgeName: 'a-name-of-16-chr' }, /bridge name/],
    [{ bridgeName: 'oak0" drop' }, /bridge name/],
    [{ tableName: 'x; flush ruleset' }, /table name/],
    [{ namePrefix: '../etc' }, /name prefix/],
    [{ subnet: '10.19.0.0/31' }, /prefix of \/8 to \/30/],
    [{ subnet: '10.19.0.1/16' }, /host bits/],
  ])('refuse %j', (options, reason) => {
    expect(() => checkOptions({ ...base, ...options })).toThrow(reason);
  });

  it('refuse a sub-network in which this host reaches others', () => {
    const checked = checkOptions(base);
    const routes = [
      { destination: 'default', device: 'eth0' },
      { destination: '10.0.0.0/8', device: 'eth0' },
      { destination: '10.19.0.0/16', device: 'oak0' },
      { destination: '192.0.2.0/24', device: 'eth0' },
    ];
    requireFreeSubnet(checked, routes);
    expect(() =>
      requireFreeSubnet(checked, [...routes, { destination: '10.19.7.7', device: 'tun0' }]),
    ).toThrow(/10\.19\.0\.0\/16 .* overlaps the route 10\.19\.7\.7 through tun0/);
  });

  it('find the size of packets that passes the uplink', async () => {
    const links = ['eth0', 'tun0', 'tiny', 'jumbo'].map(
      (name, index) => ({ name, mtu: [1500, 1420, 576, 9000][index] }) as IpLink,
    );
    const ip: Ip = { links: async () => links, routes: async () => [], batch: async () => {} };
    const mtu = (device: string) => chooseMtu(ip, [{ destination: 'default', device }]);
    expect(await Promise.all(['eth0', 'tun0', 'tiny', 'jumbo', 'gone'].map(mtu))).toEqual([
      1500, 1420, 1280, 1500, 1500,
    ]);
    expect(await chooseMtu(ip, [])).toBe(1500);
  });
});
