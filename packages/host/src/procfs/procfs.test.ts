import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { diskUsageOf, readDiskUsage } from './disk.ts';
import { parseMemoryInfo } from './meminfo.ts';
import { parseMounts } from './mounts.ts';
import { parseOsRelease } from './os-release.ts';
import { parseKernelRoutes, selectRoute } from './routes.ts';
import { findSocketHolder, listeningSockets, parseListeningSockets } from './sockets.ts';
import { busyPercent, parseKernelStat } from './stat.ts';
import { parseUptimeSeconds } from './uptime.ts';

describe('/proc/stat', () => {
  const text = `cpu  100 0 50 800 40 5 5 0 30 0
cpu0 50 0 25 400 20 2 3 0 15 0
cpu1 50 0 25 400 20 3 2 0 15 0
intr 1 2
btime 1700000000
`;

  it('gives busy and total time, processors and boot time', () => {
    expect(parseKernelStat(text)).toEqual({
      cpu: { busyTicks: 160, totalTicks: 1000 },
      onlineProcessors: 2,
      bootTimeSeconds: 1_700_000_000,
    });
    expect(parseKernelStat('')).toBeUndefined();
  });

  it('gives the busy share between two readings', () => {
    const before = { busyTicks: 100, totalTicks: 1000 };
    expect(busyPercent(before, { busyTicks: 150, totalTicks: 1200 })).toBe(25);
    expect(busyPercent(before, before)).toBeUndefined();
    expect(busyPercent(before, { busyTicks: 90, totalTicks: 1100 })).toBe(0);
  });
});

describe('/proc/meminfo', () => {
  it('gives MiB, with what old kernels have', () => {
    const text = 'MemTotal:       2097152 kB\nMemFree:          10240 kB\nMemAvailable:    1048576 kB\n';
    expect(parseMemoryInfo(text)).toEqual({ totalMib: 2048, availableMib: 1024 });
    expect(parseMemoryInfo(text.replace(/MemAvailable.*\n/, ''))?.availableMib).toBe(10);
    expect(parseMemoryInfo('Cached: 1 kB')).toBeUndefined();
  });
});

describe('small files', () => {
  it('uptime', () => {
    expect(parseUptimeSeconds('1234.56 2000.00\n')).toBe(1234.56);
    expect(parseUptimeSeconds('')).toBeUndefined();
  });

  it('mounts, with spaces in paths', () => {
    expect(parseMounts('/dev/sda1 /mnt/my\\040disk ext4 rw,relatime 0 0\n\n')).toEqual([
      { device: '/dev/sda1', mountpoint: '/mnt/my disk', type: 'ext4', options: ['rw', 'relatime'] },
    ]);
  });

  it('os-release, quoted and not', () => {
    const text = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="A \\"b\\""\n# comment\nBROKEN\n';
    expect(parseOsRelease(text)).toEqual({ ID: 'debian', VERSION_ID: '12', PRETTY_NAME: 'A "b"' });
  });
});

describe('/proc/net/tcp', () => {
  const header =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (local: string, state: string, inode: number) =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1\n`;

  it('gives sockets that wait, not connections', () => {
    const text = header + row('00000000:1F90', '0A', 11) + row('0100007F:1F91', '01', 12);
    expect(parseListeningSockets(text, 'tcp')).toEqual([
      { port: 8080, protocol: 'tcp', addressHex: '00000000', inode: '11' },
    ]);
  });

  it('gives unconnected UDP sockets', () => {
    const text = header + row('00000000:0035', '07', 5) + row('00000000:0036', '01', 6);
    expect(parseListeningSockets(text, 'udp').map(({ port }) => port)).toEqual([53]);
  });

  it('leaves out what IPv4 cannot reach', () => {
    const loopback = '00000000000000000000000001000000:1F90';
    const any = '00000000000000000000000000000000:1F91';
    const text = header + row(loopback, '0A', 1) + row(any, '0A', 2);
    expect(parseListeningSockets(text, 'tcp').map(({ port }) => port)).toEqual([8081]);
  });

  it('of this machine names the holder of a port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const socket = (await listeningSockets('tcp')).find((one) => one.port === port);
      expect(await findSocketHolder(socket?.inode ?? '')).toMatchObject({ pid: process.pid });
    } finally {
      server.close();
    }
    expect(await findSocketHolder('no-inode')).toBeUndefined();
  });
});

describe('/proc/net/route', () => {
  const text = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	100	00000000	0	0	0
wlan0	00000000	010200C0	0003	0	0	600	00000000	0	0	0
eth1	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
oak0	0000130A	00000000	0001	0	0	0	0000FFFF	0	0	0
down	0000140A	00000000	0000	0	0	0	0000FFFF	0	0	0
*	0000150A	00000000	0201	0	0	0	0000FFFF	0	0	0
`;
  const address = (a: number, b: number) => a * 2 ** 24 + b * 2 ** 16 + 1;

  it('selects by longest prefix, then by metric', () => {
    const routes = parseKernelRoutes(text);
    expect(selectRoute(routes, 0)?.device).toBe('eth0');
    expect(selectRoute(routes, address(203, 0))?.device).toBe('eth0');
    expect(selectRoute(routes, address(10, 1))?.device).toBe('eth1');
    expect(selectRoute(routes, address(10, 19))?.device).toBe('oak0');
    expect(selectRoute([], 0)).toBeUndefined();
  });

  it('leaves out routes that are down or refuse', () => {
    expect(parseKernelRoutes(text).map(({ device }) => device)).toEqual(['eth0', 'wlan0', 'eth1', 'oak0']);
  });
});

describe('disk usage', () => {
  it('counts as df does', () => {
    expect(diskUsageOf({ bsize: 4096, blocks: 1000, bfree: 400, bavail: 200 })).toEqual({
      totalBytes: 4_096_000,
      availableBytes: 819_200,
      usedPercent: 75,
    });
    expect(diskUsageOf({ bsize: 4096, blocks: 0, bfree: 0, bavail: 0 }).usedPercent).toBe(0);
  });

  it('is read from this machine', async () => {
    const { totalBytes, availableBytes, usedPercent } = await readDiskUsage('/');
    expect(totalBytes).toBeGreaterThan(availableBytes);
    expect(usedPercent).toBeGreaterThan(0);
    expect(usedPercent).toBeLessThanOrEqual(100);
  });
});
