import { OakestraError } from '@oakestra/contracts';
import { describe, expect, it } from 'vitest';
import { missingProgram } from '../missing-program.ts';
import type { Run, RunOptions } from '../run.ts';
import { createConntrack } from './conntrack.ts';
import { createIp } from './ip.ts';
import { hostInterfaceNameOf, isHostInterfaceName, namespaceNameOf } from './namespaces.ts';
import { createNft } from './nft.ts';

interface Recorded {
  readonly line: string;
  readonly options: RunOptions | undefined;
}

/** Answers every program with the same text, and remembers what was asked. */
function recorder(stdout = '') {
  const calls: Recorded[] = [];
  const run: Run = async (command, args, options) => {
    calls.push({ line: [command, ...args].join(' '), options });
    return { stdout, stderr: '', exitCode: 0 };
  };
  return { run, calls };
}

const failing = (stderr: string): Run => {
  return async (command) => {
    throw new OakestraError('internal', 'program-failed', `${command}: ${stderr}`, {
      details: { exitCode: 1, stderr },
    });
  };
};

describe('ip', () => {
  it('does a batch in one process, and none for nothing', async () => {
    const { run, calls } = recorder();
    await createIp(run).batch(['link add a type veth', 'link set a up']);
    await createIp(run).batch([]);
    expect(calls.map(({ line, options }) => [line, options?.stdin])).toEqual([
      ['ip -batch -', 'link add a type veth\nlink set a up\n'],
    ]);
  });

  it('works inside a namespace, and tolerates failures when asked', async () => {
    const { run, calls } = recorder();
    await createIp(run).batch(['link set lo up'], { namespace: 'oak-1', isTolerant: true });
    expect(calls[0]?.line).toBe('ip -n oak-1 -force -batch -');
    expect(calls[0]?.options?.acceptedExitCodes).toEqual([0, 1]);
  });

  it('quotes the line that was refused', async () => {
    const ip = createIp(failing('RTNETLINK answers: File exists\nCommand failed -:2'));
    await expect(ip.batch(['link add a', 'link add b'])).rejects.toThrow('ip link add b: ip: RTNETLINK');
  });

  it('reads interfaces, also the odd empty entries', async () => {
    const text = JSON.stringify([
      {},
      {
        ifindex: 3,
        ifname: 'oakv1',
        flags: ['UP'],
        mtu: 1400,
        master: 'oak0',
        address: '02:00:00:00:00:01',
        linkinfo: { info_kind: 'veth' },
        ifalias: 'label',
        addr_info: [{ local: '10.19.0.1', prefixlen: 16 }, {}],
      },
    ]);
    expect(await createIp(recorder(text).run).links()).toEqual([
      {
        index: 3,
        name: 'oakv1',
        flags: ['UP'],
        mtu: 1400,
        mac: '02:00:00:00:00:01',
        kind: 'veth',
        master: 'oak0',
        alias: 'label',
        addresses: ['10.19.0.1/16'],
      },
    ]);
    expect(await createIp(recorder('').run).links()).toEqual([]);
  });

  it('reads routes', async () => {
    const text =
      '[{"dst":"default","gateway":"192.0.2.9","dev":"eth0"},{"dst":"10.0.0.0/8","type":"blackhole"}]';
    expect(await createIp(recorder(text).run).routes()).toEqual([
      { destination: 'default', device: 'eth0' },
      { destination: '10.0.0.0/8' },
    ]);
  });
});

describe('nft', () => {
  it('gets short transactions as argument and long ones as input', async () => {
    const { run, calls } = recorder();
    await createNft(run).apply('flush table ip x');
    await createNft(run).apply(' '.repeat(200_000));
    expect(calls[0]?.line).toBe('nft flush table ip x');
    expect([calls[1]?.line, calls[1]?.options?.stdin?.length]).toEqual(['nft -f -', 200_000]);
  });

  it('reads chains, and rules with their marks', async () => {
    const chains =
      '{"nftables":[{"metainfo":{}},{"chain":{"family":"ip","table":"filter","name":"FORWARD","hook":"forward",' +
      '"policy":"drop"}},{"chain":{"family":"ip","table":"filter","name":"USER"}}]}';
    expect(await createNft(recorder(chains).run).chains()).toEqual([
      { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' },
      { family: 'ip', table: 'filter', name: 'USER' },
    ]);
    const rules = '{"nftables":[{"rule":{"handle":7,"comment":"ours"}},{"rule":{"handle":8}}]}';
    const chain = { family: 'ip', table: 'filter', name: 'USER' };
    expect(await createNft(recorder(rules).run).rules(chain)).toEqual([
      { handle: 7, comment: 'ours' },
      { handle: 8 },
    ]);
  });

  it('reads maps of ports, and tells a missing table from a failure', async () => {
    const text =
      '{"nftables":[{"map":{"name":"p","elem":[[8080,{"concat":["10.19.0.2",80]}]]}},{"map":{"name":"q"}}]}';
    expect(await createNft(recorder(text).run).portMaps('x')).toEqual(
      new Map([
        ['p', [{ port: 8080, toAddress: '10.19.0.2', toPort: 80 }]],
        ['q', []],
      ]),
    );
    const missing = createNft(failing('Error: No such file or directory\nlist table ip x'));
    expect(await missing.portMaps('x')).toBeUndefined();
    await expect(createNft(failing('Operation not permitted')).portMaps('x')).rejects.toThrow(
      'not permitted',
    );
  });
});

describe('conntrack', () => {
  it('forgets by address or by port', async () => {
    const { run, calls } = recorder();
    const conntrack = createConntrack(run);
    expect(await conntrack.forget({ answeredBy: '10.19.0.2' })).toBe(true);
    await conntrack.forget({ protocol: 'udp', toPort: 53 });
    expect(calls.map(({ line }) => line)).toEqual([
      'conntrack --delete --family ipv4 --reply-src 10.19.0.2',
      'conntrack --delete --family ipv4 --proto udp --orig-port-dst 53',
    ]);
  });

  it('is optional, and not looked for twice', async () => {
    let attempts = 0;
    const conntrack = createConntrack(async () => {
      attempts += 1;
      throw missingProgram('conntrack');
    });
    expect(await conntrack.forget({ answeredBy: '10.19.0.2' })).toBe(false);
    expect(await conntrack.forget({ answeredBy: '10.19.0.2' })).toBe(false);
    expect(attempts).toBe(1);
  });
});

describe('names', () => {
  it('are the same for the same instance, short, and different for others', () => {
    const ids = Array.from({ length: 5_000 }, (_, number) => `shop.prod.web.prod.instance.${number}`);
    const interfaces = new Set(ids.map(hostInterfaceNameOf));
    const namespaces = new Set(ids.map((id) => namespaceNameOf('oak', id)));
    expect([interfaces.size, namespaces.size]).toEqual([ids.length, ids.length]);
    expect([...interfaces].every((name) => name.length <= 15 && isHostInterfaceName(name))).toBe(true);
    expect(namespaceNameOf('oak-w1', 'a')).toMatch(/^oak-w1-[0-9a-f]{12}$/);
    expect(hostInterfaceNameOf('a')).toBe(hostInterfaceNameOf('a'));
  });

  it('do not claim interfaces of others', () => {
    expect(['oak0', 'oakv', 'veth1234', 'oakvpn-uplink'].filter(isHostInterfaceName)).toEqual([]);
  });
});
