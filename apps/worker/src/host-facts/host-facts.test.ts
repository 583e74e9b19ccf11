import type { NetworkInterfaceInfo } from 'node:os';
import type { Ip, IpLink } from '@oakestra/host';
import { describe, expect, it } from 'vitest';
import { goArchitecture } from './architecture.ts';
import { createCpuReader } from './cpu.ts';
import { hostMounts } from './disks.ts';
import { readMemory } from './memory.ts';
import { readNetworkInterfaces } from './network-interfaces.ts';
import { createUsageReader, readNodeFacts } from './node-facts.ts';
import { registrationInformation, usageInformation } from './node-information.ts';
import { choosePrimaryAddress } from './primary-address.ts';
import { platformOf } from './system.ts';

const stat = (busy: number, idle: number) => `cpu  ${busy} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\n`;

describe('processor usage', () => {
  it('is measured from one reading to the next', async () => {
    const texts = [stat(100, 900), stat(150, 950), stat(150, 950), stat(150, 1050)];
    const read = createCpuReader(async () => texts.shift() ?? '');
    expect(await read()).toEqual({ cpuPercent: 10, vcpus: 2 });
    expect((await read()).cpuPercent).toBe(50);
    // No tick passed: nothing new is known.
    expect((await read()).cpuPercent).toBe(50);
    expect((await read()).cpuPercent).toBe(0);
  });

  it('is full when it cannot be measured (node-engine 6)', async () => {
    expect((await createCpuReader(async () => Promise.reject(new Error('no')))()).cpuPercent).toBe(100);
  });
});

describe('memory usage', () => {
  it('counts what programs can have as free', async () => {
    const text = 'MemTotal: 2097152 kB\nMemFree: 10 kB\nMemAvailable: 524288 kB\n';
    expect(await readMemory(async () => text)).toEqual({
      memoryTotalMib: 2048,
      memoryAvailableMib: 512,
      memoryPercent: 75,
    });
  });

  it('is full when it cannot be measured (node-engine 6)', async () => {
    expect(await readMemory(async () => '')).toMatchObject({ memoryPercent: 100, memoryAvailableMib: 0 });
  });
});

describe('mounts', () => {
  it('leave out those of containers', () => {
    const text = [
      '/dev/vda1 / ext4 rw 0 0',
      'overlay /run/containerd/io.containerd.runtime.v2.task/x/rootfs overlay rw 0 0',
      'nsfs /run/netns/oak-1 nsfs rw 0 0',
      'tmpfs /run tmpfs rw 0 0',
    ].join('\n');
    expect(hostMounts(text).map(({ mountpoint }) => mountpoint)).toEqual(['/', '/run']);
  });
});

describe('network interfaces', () => {
  const link = (more: Partial<IpLink>): IpLink => ({
    index: 1,
    name: 'eth0',
    flags: ['BROADCAST', 'UP', 'LOWER_UP'],
    mtu: 1500,
    mac: '02:00:00:00:00:01',
    addresses: ['192.0.2.1/24'],
    ...more,
  });
  const ip = (links: () => Promise<IpLink[]>): Ip => ({
    links,
    routes: async () => [],
    batch: async () => {},
  });

  it('leave out the cables of instances', async () => {
    const links = [link({}), link({ name: 'oakv1', kind: 'veth', master: 'oak0' })];
    expect(await readNetworkInterfaces(ip(async () => links))).toEqual([
      {
        index: 1,
        name: 'eth0',
        mtu: 1500,
        mac: '02:00:00:00:00:01',
        flags: ['broadcast', 'up'],
        addresses: ['192.0.2.1/24'],
      },
    ]);
  });

  it('are none where they cannot be read', async () => {
    expect(await readNetworkInterfaces(ip(() => Promise.reject(new Error('no ip'))))).toEqual([]);
  });
});

describe('primary address', () => {
  const info = (address: string, more: Partial<NetworkInterfaceInfo> = {}): NetworkInterfaceInfo[] => [
    {
      address,
      netmask: '',
      mac: '',
      internal: false,
      cidr: null,
      family: 'IPv4',
      ...more,
    } as NetworkInterfaceInfo,
  ];
  const interfaces = {
    lo: info('127.0.0.1', { internal: true }),
    docker0: info('172.17.0.1'),
    eth0: info('198.51.100.7'),
    eth1: info('10.1.0.7'),
    oak0: info('10.19.0.1'),
  };
  const route = (device: string, destination: string, mask: string) =>
    `${device}\t${destination}\t00000000\t0003\t0\t0\t0\t${mask}\t0\t0\t0\n`;
  const byDefault = route('eth0', '00000000', '00000000');

  it('is that of the default route, not of the first interface', () => {
    expect(choosePrimaryAddress({ routesText: byDefault, interfaces })).toBe('198.51.100.7');
  });

  it('suits whom it is for', () => {
    const routesText = byDefault + route('eth1', '0000010A', '0000FFFF');
    expect(choosePrimaryAddress({ routesText, interfaces }, { towards: '10.1.9.9' })).toBe('10.1.0.7');
    expect(choosePrimaryAddress({ routesText, interfaces }, { towards: 'cluster.example' })).toBe(
      '198.51.100.7',
    );
  });

  it('without a route is the first that others may reach', () => {
    const options = { ignoredInterfaces: ['oak0'] };
    const { eth0: _, eth1: __, ...onlyLocal } = interfaces;
    expect(choosePrimaryAddress({ routesText: '', interfaces }, options)).toBe('198.51.100.7');
    expect(choosePrimaryAddress({ routesText: '', interfaces: onlyLocal }, options)).toBeUndefined();
  });
});

describe('names', () => {
  it('of architectures are those of Go', () => {
    expect(['x64', 'arm64', 'arm', 'mips'].map(goArchitecture)).toEqual(['amd64', 'arm64', 'arm', 'mips']);
  });

  it('of platforms come with their family', () => {
    expect(platformOf('ID=ubuntu\nID_LIKE="debian other"\nVERSION_ID="22.04"\n')).toEqual({
      platform: 'ubuntu',
      platformFamily: 'debian',
      platformVersion: '22.04',
    });
    expect(platformOf('ID=debian\n').platformFamily).toBe('debian');
  });
});

describe('the node information object (node-engine 6)', () => {
  it('is filled for registering', async () => {
    const [facts, usage] = await Promise.all([readNodeFacts(), createUsageReader()()]);
    const information = registrationInformation(facts, usage, {
      host: 'edge-1',
      port: '3000',
      virtualization: ['docker'],
      clusterAddress: '192.0.2.9',
    });
    expect(information).toMatchObject({
      id: '',
      host: 'edge-1',
      virtualization: ['docker'],
      gpu_driver: '-',
      ClusterAddress: '192.0.2.9',
      system_info: { os_version: 'linux', uptime: expect.stringMatching(/^\d+$/) },
      disk_info: { '/': expect.stringMatching(/^\d+$/), partition_0: expect.any(String) },
    });
    expect(['amd64', 'arm64', 'arm']).toContain(information.architecture);
    expect(information.vcpus).toBeGreaterThan(0);
    expect(facts.memoryTotalMib).toBeGreaterThan(information.memory);
    expect(Object.keys(JSON.parse(information.system_info?.full_stats ?? ''))).toHaveLength(13);
    expect(JSON.parse(information.disk_info?.partition_0 ?? '')).toHaveProperty('opts');
  });

  it('carries zeros for everything else in reports', () => {
    const usage = {
      address: '10.0.0.5',
      cpuPercent: 3.5,
      vcpus: 8,
      memoryAvailableMib: 16000,
      memoryPercent: 40.1,
    };
    // As in cluster-protocol 5.3.
    expect(JSON.stringify(usageInformation(usage))).toBe(
      '{"id":"","host":"","ip":"10.0.0.5","port":"","system_info":null,"cpu_percent":3.5,"vcpus":8,' +
        '"architecture":"","memory_percent":40.1,"memory":16000,"disk_info":null,"network_info":null,' +
        '"gpu_driver":"-","gpu_usage":0,"vgpus":0,"gpu_temp":0,"vram_percent":0,"vram":0,' +
        '"virtualization":null,"supported_addons":null,"csi_drivers":null,' +
        '"Overlay":false,"OverlaySocket":"","LogDirectory":"","NetManagerPort":0,"ClusterAddress":""}',
    );
  });
});
