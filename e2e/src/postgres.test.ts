import { readdirSync } from 'node:fs';
import { startTestPostgres, type TestPostgres } from '@oakestra/store/testing/postgres';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Installation, openInstallation } from './installation/index.ts';

describe('a root that keeps its data in PostgreSQL', () => {
  let server: TestPostgres;
  let at: Installation;
  let image: string;

  beforeAll(async () => {
    server = await startTestPostgres();
    await server.createDatabase('root');
    at = await openInstallation({
      env: { root: { OAKESTRA_DATABASE_URL: server.socketUrl('root').reveal() } },
    });
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  });
  afterAll(async () => {
    await at?.close();
    await server?.stop();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    await at.removeEverything();
  });

  it('keeps nothing of it in a file, and no password in its log', async () => {
    const deployed = await at.run({ name: 'web', image });
    expect(readdirSync(at.root.stateDirectory).filter((name) => name.includes('.db'))).toEqual([]);
    const [{ count } = {}] = await server.query(
      'root',
      'select count(*)::int as count from deployment_services',
    );
    expect(count).toBe(1);
    const password = new URL(server.url('root').reveal()).password;
    const log = await at.root.output();
    expect(log).not.toContain(password);
    expect(log).not.toContain(decodeURIComponent(password));
    await at.remove(deployed);
  });

  it('has everything that it answered after kill -9', async () => {
    const first = await at.run({ name: 'first', image });
    const before = await at.worker.runningTask(first.instanceId);
    await at.api.deploy(first.serviceId);
    await at.root.kill();
    await at.root.start();
    await at.untilConnected();
    const second = { ...first, number: 1, instanceId: first.instanceId.replace(/0$/, '1') };
    await at.untilStatus(second, 'RUNNING');
    await at.untilExactlyOne(first);
    expect(await at.worker.runningTask(first.instanceId)).toEqual(before);
  });

  it('refuses changes clearly while the database is away, and goes on when it is back', async () => {
    const first = await at.run({ name: 'first', image });
    await server.kill();
    const token = await at.api.login().catch(() => undefined);
    expect(token).toBeUndefined();
    const readiness = await at.api.request('GET', '/readyz');
    expect(readiness).toMatchObject({ status: 503, body: { checks: { store: 'failed' } } });
    await server.start();
    await eventually(async () => expect((await at.api.request('GET', '/readyz')).status).toBe(200), {
      timeoutMs: 30_000,
      describe: 'the root to be ready again',
    });
    await at.untilConnected();
    const second = await at.run({ name: 'second', image });
    await at.untilExactlyOne(first);
    await at.untilExactlyOne(second);
  });
});
