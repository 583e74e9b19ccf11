import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  eventually,
  type ImageLayout,
  type ManagedProcess,
  pushImage,
  type RegistryAccess,
  registryRequest,
  type Testbed,
  type TestHost,
} from '@oakestra/testbed';

const PORT = 5000;

/** A registry on test hosts, which all reach the same content in plain HTTP on their own loopback address. */
export interface LoopbackRegistry {
  /** Answers the reference as it stands in an SLA. */
  push(layout: ImageLayout, name: string, tag?: string): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startLoopbackRegistry(
  testbed: Testbed,
  hosts: readonly TestHost[],
): Promise<LoopbackRegistry> {
  const configFile = join(testbed.directory, 'loopback-registry.json');
  await writeFile(
    configFile,
    JSON.stringify({
      version: '0.1',
      log: { level: 'info', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(testbed.directory, 'loopback-registry') } },
      http: { addr: `0.0.0.0:${PORT}`, secret: 'of this test' },
    }),
  );
  let servers: readonly ManagedProcess[] = [];
  const accessOf = (host: TestHost): RegistryAccess => ({ url: `http://${host.address}:${PORT}` });
  const start = async (): Promise<void> => {
    servers = await Promise.all(
      hosts.map(async (host) => {
        const logFile = join(testbed.directory, `registry-${host.name}.log`);
        const args = ['serve', configFile];
        return testbed.adopt(
          await host.spawn('docker-registry', args, { name: `registry-${host.name}`, logFile }),
        );
      }),
    );
    for (const host of hosts) {
      const describe = `the registry of ${host.name} to answer`;
      await eventually(
        async () => (await registryRequest(accessOf(host), { method: 'GET', target: '/v2/' })).status === 200,
        { timeoutMs: 20_000, describe },
      );
    }
  };
  await start();
  return {
    start,
    async push(layout, name, tag = 'latest') {
      const [host] = hosts;
      if (host === undefined) throw new Error('a registry needs a host');
      await pushImage(layout, { ...accessOf(host), name, tag });
      return `127.0.0.1:${PORT}/${name}:${tag}`;
    },
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
