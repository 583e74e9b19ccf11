import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { run } from '../run.ts';
import { createIp } from './ip.ts';
import { listNamespaces, namespaceNameOf, namespacePath, namespacesInUse } from './namespaces.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

const prefix = `oakh-${process.pid.toString(36)}`;
const [used, unused] = ['used', 'unused'].map((id) => namespaceNameOf(prefix, id)) as [string, string];

describe('network namespaces of this machine', () => {
  afterEach(() => createIp().batch([`netns del ${used}`, `netns del ${unused}`], { isTolerant: true }));

  it('are listed by exact prefix, and known as used while a process lives in them', async () => {
    await createIp().batch([`netns add ${used}`, `netns add ${unused}`]);
    expect(await listNamespaces(prefix)).toEqual([used, unused].sort());
    expect(await listNamespaces(prefix.slice(0, -1))).toEqual([]);

    const tenant = spawn('nsenter', [`--net=${namespacePath(used)}`, 'sh', '-c', 'echo in; exec sleep 60']);
    await once(tenant.stdout, 'data');
    expect(await namespacesInUse([used, unused, `${prefix}-gone`])).toEqual(new Set([used]));
    tenant.kill('SIGKILL');
    await once(tenant, 'close');
    expect(await namespacesInUse([used, unused])).toEqual(new Set());
  });

  it('are removed tolerantly, and refuse what cannot be', async () => {
    const ip = createIp();
    await ip.batch([`netns add ${used}`]);
    await expect(ip.batch([`netns add ${unused}`, `netns add ${used}`])).rejects.toThrow(
      `ip netns add ${used}:`,
    );
    await ip.batch([`netns del ${prefix}-none`, `netns del ${used}`, `netns del ${unused}`], {
      isTolerant: true,
    });
    expect(await listNamespaces(prefix)).toEqual([]);
  });

  it('have settings that can be read and set', async () => {
    const value = await readSysctl('net/ipv4/ip_default_ttl');
    expect(Number(value)).toBeGreaterThan(0);
    await writeSysctl('net/ipv4/ip_default_ttl', value ?? '', 'this test writes back what it read');
    expect(await readSysctl('net/ipv4/no_such_setting')).toBeUndefined();
    await expect(writeSysctl('net/ipv4/no_such_setting', '1', 'x')).rejects.toThrow(
      'net.ipv4.no_such_setting = 1 cannot be set',
    );
    expect((await run('ip', ['netns', 'list'])).stdout).not.toContain(prefix);
  });
});
