import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NetworkCall } from './testing/network-server.ts';
import { ask, createSandbox, inside, type RemoteNetwork, type Sandbox } from './testing/test-hosts.ts';

const tcp = (hostPort: number, containerPort: number) => ({
  hostPort,
  containerPort,
  protocol: 'tcp' as const,
});
const udp = (hostPort: number, containerPort: number) => ({
  hostPort,
  containerPort,
  protocol: 'udp' as const,
});

describe('the network of a host', () => {
  let sandbox: Sandbox;
  let network: RemoteNetwork;

  beforeEach(async () => {
    sandbox = await createSandbox();
    network = sandbox.startNetwork();
  });
  afterEach(() => sandbox.close());

  const call = async <T>(request: NetworkCall): Promise<T> => {
    const { result, error } = await network.call(request);
    if (error !== undefined) throw new Error(`${error.code}: ${error.message}`);
    return result as T;
  };
  const attach = async (
    instanceId: string,
    ports: ReturnType<typeof tcp | typeof udp>[],
    address?: string,
  ) => {
    const argument = { instanceId, ports, ...(address === undefined ? {} : { address }) };
    const attached = await call<{ namespacePath: string; address: string }>({ method: 'attach', argument });
    return { ...attached, namespace: attached.namespacePath.replace('/run/netns/', '') };
  };
  const ourNamespaces = async () =>
    (await readdir('/run/netns')).filter(
      (name) =>
        name.startsWith(`${sandbox.namePrefix}-`) && name !== sandbox.machine && name !== sandbox.neighbour,
    );
  const machineState = async () => ({
    rules: await inside(sandbox.machine, 'nft', 'list', 'ruleset'),
    links: (await inside(sandbox.machine, 'ip', '-br', 'link')).replaceAll(/@\S+/g, ''),
    addresses: await inside(sandbox.machine, 'ip', '-br', '-4', 'address'),
    routes: await inside(sandbox.machine, 'ip', 'route'),
    namespaces: await ourNamespaces(),
  });

  it('publishes TCP and UDP to other hosts, to its own host, and on loopback', async () => {
    const web = await attach('shop.web.instance.0', [tcp(8080, 80), udp(8053, 53)]);
    await sandbox.serve(web.namespace, { protocol: 'tcp', port: 80, label: 'web' });
    await sandbox.serve(web.namespace, { protocol: 'udp', port: 53, label: 'dns' });

    const fromOthers = { host: '192.0.2.1' };
    expect(await ask(sandbox.neighbour, 'tcp', { ...fromOthers, port: 8080 })).toBe('web 192.0.2.2');
    expect(await ask(sandbox.neighbour, 'udp', { ...fromOthers, port: 8053 })).toBe('dns 192.0.2.2');
    for (const host of ['192.0.2.1', '127.0.0.1', '10.19.0.1']) {
      expect(await ask(sandbox.machine, 'tcp', { host, port: 8080 })).toMatch(/^web /);
      expect(await ask(sandbox.machine, 'udp', { host, port: 8053 })).toMatch(/^dns /);
    }
    expect(await ask(sandbox.neighbour, 'tcp', { ...fromOthers, port: 8053 })).toBe('ECONNREFUSED');
  });

  it('lets instances reach each other, published ports of their own host included', async () => {
    const one = await attach('a.instance.0', [tcp(8080, 80), udp(8080, 80)]);
    const two = await attach('b.instance.0', []);
    expect(two.address).not.toBe(one.address);
    await sandbox.serve(one.namespace, { protocol: 'tcp', port: 80, label: 'one' });
    await sandbox.serve(one.namespace, { protocol: 'udp', port: 80, label: 'one' });

    for (const protocol of ['tcp', 'udp'] as const) {
      expect(await ask(two.namespace, protocol, { host: one.address, port: 80 })).toBe(`one ${two.address}`);
      expect(await ask(two.namespace, protocol, { host: '192.0.2.1', port: 8080 })).toMatch(/^one /);
      // Its own published port: out to the bridge and back through the same cable.
      expect(await ask(one.namespace, protocol, { host: '192.0.2.1', port: 8080 })).toMatch(/^one /);
      expect(await ask(one.namespace, protocol, { host: '127.0.0.1', port: 80 })).toBe('one 127.0.0.1');
    }
  });

  it('hides instances behind the address of the host on their way out', async () => {
    const one = await attach('a.instance.0', []);
    await sandbox.serve(sandbox.neighbour, { protocol: 'tcp', port: 7000, label: 'world' });
    expect(await ask(one.namespace, 'tcp', { host: '192.0.2.2', port: 7000 })).toBe('world 192.0.2.1');
  });

  it('shows nothing else of an instance, and no loopback service, to other hosts and instances', async () => {
    const one = await attach('a.instance.0', [tcp(8080, 80)]);
    const two = await attach('b.instance.0', []);
    await sandbox.serve(one.namespace, { protocol: 'tcp', port: 80, label: 'one' });
    await sandbox.serve(one.namespace, { protocol: 'tcp', port: 81, label: 'hidden' });
    await sandbox.serve(sandbox.machine, { protocol: 'tcp', port: 9999, label: 'loopback' });
    await inside(sandbox.neighbour, 'ip', 'route', 'add', '10.19.0.0/16', 'via', '192.0.2.1');
    expect(await ask(sandbox.neighbour, 'tcp', { host: one.address, port: 81 })).toBe('no answer');
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toMatch(/^one /);

    // An instance sends to 127.0.0.0/8 over its cable, which only a rule of ours stops.
    await inside(two.namespace, 'sysctl', '-qw', 'net.ipv4.conf.eth0.route_localnet=1');
    await inside(two.namespace, 'ip', 'address', 'flush', 'dev', 'lo');
    await inside(two.namespace, 'ip', 'route', 'flush', 'table', 'local', 'dev', 'lo');
    await inside(two.namespace, 'ip', 'route', 'add', '127.0.0.0/8', 'via', '10.19.0.1');
    expect(await ask(sandbox.machine, 'tcp', { host: '127.0.0.1', port: 9999 })).toMatch(/^loopback /);
    expect(await ask(two.namespace, 'tcp', { host: '127.0.0.1', port: 9999 })).toBe('no answer');
  });

  it('says who has a port', async () => {
    await attach('a.instance.0', [tcp(8080, 80)]);
    const server = await sandbox.serve(sandbox.machine, { protocol: 'udp', port: 8081, label: 'x' });
    const refused = await network.call({
      method: 'attach',
      argument: { instanceId: 'b.instance.0', ports: [tcp(8080, 81)] },
    });
    expect(refused.error).toMatchObject({ code: 'port-taken' });
    expect(refused.error?.message).toContain(
      'port 8080/tcp of this host is taken by the instance a.instance.0',
    );
    const byProgram = await network.call({
      method: 'attach',
      argument: { instanceId: 'b.instance.0', ports: [tcp(8082, 81), udp(8081, 81)] },
    });
    expect(byProgram.error?.message).toContain(`port 8081/udp of this host is taken by the program "node"`);
    expect(byProgram.error?.message).toContain(`process ${server.pid}`);

    // Nothing is left of the failures: neither a namespace nor the other port.
    expect(await ourNamespaces()).toHaveLength(1);
    expect(await call({ method: 'portHolder', argument: [8082, 'tcp'] })).toBeNull();
    expect(await call({ method: 'portHolder', argument: [8080, 'tcp'] })).toEqual({
      kind: 'instance',
      instanceId: 'a.instance.0',
    });
    await attach('b.instance.0', [tcp(8081, 81)]);
  });

  it('frees everything of an instance that is detached', async () => {
    await attach('a.instance.0', []);
    const before = await machineState();
    const web = await attach('b.instance.0', [tcp(8080, 80), udp(8080, 80)]);
    const server = await sandbox.serve(web.namespace, { protocol: 'udp', port: 80, label: 'old' });
    expect(await ask(sandbox.neighbour, 'udp', { host: '192.0.2.1', port: 8080 })).toBe('old 192.0.2.2');
    server.kill('SIGKILL');
    await call({ method: 'detach', argument: 'b.instance.0' });
    await expect.poll(machineState).toEqual(before);
    await call({ method: 'detach', argument: 'b.instance.0' });

    const next = await attach('c.instance.0', [udp(8080, 80)]);
    expect(next.address).not.toBe(web.address);
    await sandbox.serve(next.namespace, { protocol: 'udp', port: 80, label: 'new' });
    expect(await ask(sandbox.neighbour, 'udp', { host: '192.0.2.1', port: 8080 })).toBe('new 192.0.2.2');
  });

  it('can attach again at once what was just detached, at the same address when asked', async () => {
    const first = await attach('a.instance.0', [tcp(8080, 80)]);
    for (let round = 0; round < 5; round += 1) {
      await call({ method: 'detach', argument: 'a.instance.0' });
      expect((await attach('a.instance.0', [tcp(8080, 80)], first.address)).address).toBe(first.address);
    }
    await sandbox.serve(first.namespace, { protocol: 'tcp', port: 80, label: 'again' });
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toBe('again 192.0.2.2');
    expect(network.log()).not.toContain('trying again');
  });

  it('leaves running instances alone when the worker is killed and comes back', async () => {
    const web = await attach('a.instance.0', [tcp(8080, 80)]);
    await attach('gone.instance.0', [tcp(8081, 80)]);
    const stray = await attach('stray.instance.0', [tcp(8082, 80)]);
    await sandbox.serve(web.namespace, { protocol: 'tcp', port: 80, label: 'web' });
    await sandbox.serve(stray.namespace, { protocol: 'tcp', port: 80, label: 'stray' });
    network.kill();
    const linksBefore = await inside(web.namespace, 'ip', '-o', 'link');
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toBe('web 192.0.2.2');

    network = sandbox.startNetwork();
    const known = [
      { instanceId: 'a.instance.0', ports: [tcp(8080, 80)] },
      { instanceId: 'new.instance.0', ports: [tcp(8083, 80)], address: '10.19.0.77' },
    ];
    const result = await call({ method: 'reconcile', argument: known });
    expect(result).toMatchObject({
      kept: ['a.instance.0'],
      created: ['new.instance.0'],
      removed: [expect.any(String)],
      quarantined: [stray.namespace],
    });
    expect(await inside(web.namespace, 'ip', '-o', 'link')).toBe(linksBefore);
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toBe('web 192.0.2.2');
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8082 })).toBe('stray 192.0.2.2');
    expect(await ourNamespaces()).toHaveLength(3);
    expect((await attach('a.instance.0', [tcp(8080, 80)])).address).toBe(web.address);
    expect((await attach('new.instance.0', [tcp(8083, 80)])).address).toBe('10.19.0.77');
    expect((await attach('stray.instance.0', [tcp(8082, 80)])).address).toBe(stray.address);
  });

  it('leaves nothing behind when the worker is killed in the middle of its work', async () => {
    await call({ method: 'reconcile', argument: [] });
    const before = await machineState();
    for (const delayMs of [5, 20, 60, 150]) {
      const attaching = network.call({ method: 'attachMany', argument: { count: 12, firstPort: 9000 } });
      await Promise.race([attaching, new Promise((resolve) => setTimeout(resolve, delayMs))]);
      network.kill();
      await attaching.catch(() => {});
      network = sandbox.startNetwork();
      await call({ method: 'reconcile', argument: [] });
      await expect.poll(machineState).toEqual(before);
    }
    await attach('a.instance.0', [tcp(9000, 80)]);
  });

  it('reads everything back from the kernel when nobody tells what is known', async () => {
    const web = await attach('a.instance.0', [tcp(8080, 80)]);
    network.kill();
    network = sandbox.startNetwork();
    const other = await attach('b.instance.0', []);
    expect(other.address).not.toBe(web.address);
    const refused = await network.call({
      method: 'attach',
      argument: { instanceId: 'c.instance.0', ports: [tcp(8080, 80)] },
    });
    expect(refused.error?.message).toContain('a.instance.0');
  });

  it('repairs what others broke: flushed rules, a deleted bridge, a deleted cable', async () => {
    const web = await attach('a.instance.0', [tcp(8080, 80)]);
    await sandbox.serve(web.namespace, { protocol: 'tcp', port: 80, label: 'web' });
    await inside(sandbox.machine, 'nft', 'flush', 'ruleset');
    await attach('b.instance.0', [tcp(8081, 80)]);
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toBe('web 192.0.2.2');

    await inside(sandbox.machine, 'ip', 'link', 'del', 'oak0');
    await attach('c.instance.0', []);
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toBe('web 192.0.2.2');
  });

  it('passes a firewall that drops forwarded packets, as Docker and ufw set it up', async () => {
    const docker = 'add table ip filter; add chain ip filter DOCKER-USER; add chain ip filter FORWARD';
    const hook = '{ type filter hook forward priority 0; policy drop; }';
    await inside(sandbox.machine, 'nft', `${docker} ${hook}; add rule ip filter FORWARD jump DOCKER-USER`);
    const before = await machineState();
    const web = await attach('a.instance.0', [tcp(8080, 80)]);
    await sandbox.serve(web.namespace, { protocol: 'tcp', port: 80, label: 'web' });
    expect(await ask(sandbox.neighbour, 'tcp', { host: '192.0.2.1', port: 8080 })).toBe('web 192.0.2.2');
    await call({ method: 'reconcile', argument: [{ instanceId: 'a.instance.0', ports: [] }] });
    const rules = await inside(sandbox.machine, 'nft', 'list', 'chain', 'ip', 'filter', 'DOCKER-USER');
    expect(rules.match(/accept comment "oakestra oak0"/g)).toHaveLength(2);
    await call({ method: 'purge' });
    expect(await machineState()).toEqual(before);
  });

  it('reports a firewall of the administrator instead of changing it', async () => {
    const hook = '{ type filter hook forward priority 0; policy drop; }';
    await inside(sandbox.machine, 'nft', `add table inet site; add chain inet site forwarding ${hook}`);
    await attach('a.instance.0', []);
    const { obstacles } = await call<{ obstacles: string[] }>({ method: 'status' });
    expect(obstacles).toEqual([expect.stringContaining('inet site forwarding')]);
  });

  it('refuses a sub-network that this host needs for others', async () => {
    await inside(sandbox.machine, 'ip', 'address', 'add', '10.19.5.1/24', 'dev', 'eth0');
    const refused = await network.call({
      method: 'attach',
      argument: { instanceId: 'a.instance.0', ports: [] },
    });
    expect(refused.error).toMatchObject({ code: 'subnet-in-use' });
    expect(refused.error?.message).toContain('10.19.5.0/24 through eth0');
  });

  it('leaves no trace after a purge', async () => {
    const before = await machineState();
    await call({ method: 'attachMany', argument: { count: 10, firstPort: 9000 } });
    expect(await ourNamespaces()).toHaveLength(10);
    await call({ method: 'purge' });
    expect(await machineState()).toEqual(before);
    await attach('a.instance.0', [tcp(9000, 80)]);
    await call({ method: 'purge' });
    await call({ method: 'purge' });
    expect(await machineState()).toEqual(before);
  });

  it('attaches and detaches many at once', async () => {
    const before = await machineState();
    await attach('first.instance.0', []);
    const attached = await network.call({ method: 'attachMany', argument: { count: 50, firstPort: 9000 } });
    expect(attached.error).toBeUndefined();
    const addresses = new Set((attached.result as { address: string }[]).map(({ address }) => address));
    expect(addresses.size).toBe(50);
    const detached = await network.call({ method: 'detachMany', argument: { count: 50 } });
    expect(detached.error).toBeUndefined();
    await call({ method: 'detach', argument: 'first.instance.0' });
    await expect.poll(async () => (await machineState()).namespaces).toEqual(before.namespaces);
    const cables = async () => (await inside(sandbox.machine, 'ip', '-br', 'link')).match(/oakv/g) ?? [];
    await expect.poll(cables, { timeout: 5_000 }).toEqual([]);
  });
});
