import type { Logger } from '@oakestra/daemon';
import type { InstanceNetwork } from '@oakestra/netplan';
import { describe, expect, it } from 'vitest';
import { createPublishedPorts } from './published-ports.ts';

const settings = { bridge: 'oak0', subnet: '10.19.0.0/16', table: 'oakestra', mtu: 1500, hasIpv6: true };
const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };

function instance(number: number, hostPort: number | undefined): InstanceNetwork {
  return {
    id: `a.instance.${number}`,
    namespace: `oak-${number}`,
    hostInterface: `oakv${number}`,
    address: `10.19.0.${number + 2}`,
    ports: hostPort === undefined ? [] : [{ hostPort, containerPort: 80, protocol: 'tcp' }],
  };
}

/** Transactions as they were given, each waiting until it is let go. */
function manualNft() {
  const given: string[] = [];
  const pending: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const apply = (text: string) => {
    given.push(text.startsWith('table ip') ? 'everything' : text.trim());
    return new Promise<void>((resolve, reject) => pending.push({ resolve, reject }));
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    given,
    ports: createPublishedPorts({ nft: { apply }, settings: () => settings, logger }),
    async finish(error?: Error) {
      await settle();
      const next = pending.shift();
      if (error === undefined) next?.resolve();
      else next?.reject(error);
      await settle();
    },
  };
}

const add = (port: number, host: number) =>
  `add element ip oakestra published_tcp { ${port} : 10.19.0.${host} . 80 }`;

describe('published ports', () => {
  it('go to the kernel together while it is busy', async () => {
    const { ports, given, finish } = manualNft();
    const all = [ports.publish(instance(0, 8000))];
    await finish();
    all.push(ports.publish(instance(1, 8001)));
    await new Promise((resolve) => setImmediate(resolve));
    all.push(ports.publish(instance(2, 8002)), ports.publish(instance(3, 8003)));
    await finish();
    await finish();
    await Promise.all(all);
    expect(given).toEqual([
      add(8000, 2),
      add(8001, 3),
      'add element ip oakestra published_tcp { 8002 : 10.19.0.4 . 80, 8003 : 10.19.0.5 . 80 }',
    ]);
  });

  it('that come and go in one turn never reach the kernel', async () => {
    const { ports, given, finish } = manualNft();
    const coming = ports.publish(instance(0, 8000));
    const going = ports.withdraw('oak-0');
    await finish();
    await Promise.all([coming, going]);
    expect(given).toEqual([]);
  });

  it('move from one instance to another in one transaction', async () => {
    const { ports, given, finish } = manualNft();
    ports.assume([instance(0, 8000)]);
    const both = [ports.withdraw('oak-0'), ports.publish(instance(1, 8000))];
    await finish();
    await Promise.all(both);
    expect(given).toEqual([
      `delete element ip oakestra published_tcp { 8000 : 10.19.0.2 . 80 }\n${add(8000, 3)}`,
    ]);
  });

  it('are all written anew when the kernel refuses a change', async () => {
    const { ports, given, finish } = manualNft();
    const published = ports.publish(instance(0, 8000));
    await finish(new Error('no such table'));
    await finish();
    await published;
    expect(given).toEqual([add(8000, 2), 'everything']);
  });

  it('that could not be published are forgotten, and the next change repairs the rest', async () => {
    const { ports, given, finish } = manualNft();
    const failing = ports.publish(instance(0, 8000)).catch((error: Error) => error.message);
    await finish(new Error('first'));
    await finish(new Error('second'));
    expect(await failing).toBe('second');
    const next = ports.publish(instance(1, 8001));
    await finish();
    await next;
    expect(given).toEqual([add(8000, 2), 'everything', 'everything']);
  });

  it('need no transaction when there are none', async () => {
    const { ports, given } = manualNft();
    await ports.publish(instance(0, undefined));
    await ports.withdraw('oak-0');
    await ports.withdraw('oak-unknown');
    expect(given).toEqual([]);
  });
});
