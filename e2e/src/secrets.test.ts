import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { InstanceResource, SealedObjectResource } from '@oakestra/contracts/api';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Deployed, type Installation, openInstallation } from './installation/index.ts';

/** Long and strange enough to be found wherever it is. */
const VARIABLE = 'variable-Kq7ZpW2mXv9TbR4nLs8Y';
const FILE = 'file-content-Hd3JgC6fQe1UaN5kPo0M';
const CONFIG = `listen 8080;\n${'#'.repeat(2 ** 20 - 20)}`;

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** Says what it sees without saying it; ends when it is asked to. */
const TELL = [
  'echo variable $(printf %s "$DB_PASSWORD" | sha256sum)',
  'echo file $(sha256sum < /run/secrets/key.pem) $(stat -c %a:%u:%g /run/secrets/key.pem)',
  'echo config $(sha256sum < /etc/app/app.conf) $(stat -c %a:%u:%g /etc/app/app.conf)',
  'touch /etc/app/app.conf 2>/dev/null || echo read-only',
  'trap "exit 0" TERM',
  'while :; do sleep 1; done',
].join('; ');

const fields = {
  cmd: ['/bin/sh', '-c', TELL],
  secrets: [
    { secret: 'db', environment: 'DB_PASSWORD' },
    { secret: 'key', file: '/run/secrets/key.pem', mode: '0400', owner: '1000:1000' },
  ],
  configs: [{ config: 'app', file: '/etc/app/app.conf' }],
};

describe('secrets and configs', () => {
  let at: Installation;
  let image: string;

  beforeAll(async () => {
    at = await openInstallation();
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
    await create('secrets', 'db', VARIABLE);
    await create('secrets', 'key', FILE);
    await create('configs', 'app', CONFIG);
  });
  afterAll(() => at?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    await at.removeEverything();
  });

  const v2 = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const token = await at.api.login();
    const answer = await at.api.request(method, `/api/v2${path}`, {
      token,
      ...(body === undefined ? {} : { body }),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  };
  const create = (kind: string, name: string, text: string) =>
    v2<SealedObjectResource>('POST', `/${kind}`, { name, text });

  const outputOf = ({ instanceId }: Pick<Deployed, 'instanceId'>) => {
    const path = join(at.worker.process.stateDirectory, 'logs', `${instanceId}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const linesFor = (variable: string): string[] => [
    `variable ${digestOf(variable)} -`,
    `file ${digestOf(FILE)} - 400:1000:1000`,
    `config ${digestOf(CONFIG)} - 444:0:0`,
    'read-only',
  ];
  /** So many times it started and saw all that it was to see. */
  const untilSeen = (deployed: Pick<Deployed, 'instanceId'>, times: number, variable = VARIABLE) =>
    eventually(
      () => {
        const lines = outputOf(deployed).split('\n');
        if (lines.filter((line) => line === 'read-only').length !== times) throw new Error(lines.join('\n'));
        return lines.slice(-5, -1);
      },
      { timeoutMs: 60_000, describe: `${deployed.instanceId} to say what it sees, ${times} times` },
    ).then((lines) => expect(lines).toEqual(linesFor(variable)));

  const storedValues = () => {
    const folder = join(at.worker.process.stateDirectory, 'values');
    return existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'keys') : [];
  };
  const untilStored = (count: number) =>
    eventually(
      () => {
        if (storedValues().length !== count) throw new Error(storedValues().join(' '));
        return true;
      },
      { timeoutMs: 60_000, describe: `${count} values to be kept by the worker` },
    );

  it('reach the container alone, and nothing of them is left after its end', async () => {
    const app = await at.run({ name: 'app', image, fields });
    await untilSeen(app, 1);

    const states = [at.root, at.cluster, at.worker.process].map(({ stateDirectory }) => stateDirectory);
    const logs = [at.root, at.cluster, at.worker.process].map(({ logFile }) => logFile);
    expect(storedValues()).toHaveLength(3);
    expect(filesWith('/run/secrets/key.pem', states), 'the search finds nothing at all').not.toEqual([]);
    for (const value of [VARIABLE, FILE]) expect(filesWith(value, [...states, ...logs])).toEqual([]);

    const container = JSON.parse(await at.worker.ctr(['containers', 'info', app.instanceId]));
    const { env } = container.Spec.process;
    expect(env).toContain(`DB_PASSWORD=${VARIABLE}`);
    container.Spec.process.env = [];
    for (const value of [VARIABLE, FILE]) expect(JSON.stringify(container)).not.toContain(value);

    const classic = JSON.stringify(await at.api.service(app.serviceId));
    for (const value of [VARIABLE, FILE]) expect(classic).not.toContain(value);
    await expect(v2('DELETE', `/secrets/${(await named('secrets', 'db')).id}`)).rejects.toThrow(
      'is used by app.test.app.test',
    );

    await at.remove(app);
    await at.untilNothingIsLeft();
    await untilStored(0);
  });

  it('are there when the worker boots while nobody else is', async () => {
    const app = await at.run({ name: 'app', image, fields });
    await untilSeen(app, 1);
    await at.root.kill();
    await at.cluster.kill();
    await at.worker.reboot();
    await at.worker.process.start();
    await untilSeen(app, 2);
  });

  it('are given again from above to those who lost them', async () => {
    const app = await at.run({ name: 'app', image, fields });
    await untilSeen(app, 1);
    const before = await at.worker.runningTask(app.instanceId);
    await at.cluster.kill();
    await at.worker.process.kill();
    const [cluster, worker] = [at.cluster.stateDirectory, at.worker.process.stateDirectory];
    for (const name of readdirSync(cluster))
      if (name !== 'tls') rmSync(join(cluster, name), { recursive: true });
    for (const name of ['journal', 'values']) rmSync(join(worker, name), { recursive: true });
    await at.startAll();
    await untilStored(3);
    await at.untilExactlyOne(app);
    expect(await at.worker.runningTask(app.instanceId)).toEqual(before);
    // What was given again is what it was.
    process.kill(before.pid, 'SIGKILL');
    await untilSeen(app, 2);
  });

  it('are kept by what runs when there is a newer version, and given to what is deployed then', async () => {
    const rotating = await create('secrets', 'rotating', 'one');
    const secrets = [{ ...fields.secrets[0], secret: 'rotating' }, fields.secrets[1]];
    const app = await at.run({ name: 'app', image, fields: { ...fields, secrets } });
    await untilSeen(app, 1, 'one');
    await v2('PUT', `/secrets/${rotating.id}`, { text: 'two' });
    const read = (number: number) =>
      v2<InstanceResource>('GET', `/services/${app.serviceId}/instances/${number}`);
    const { references, hasNewerVersions } = await read(0);
    expect([references[0], hasNewerVersions]).toEqual([
      { kind: 'secret', name: 'rotating', version: 1 },
      true,
    ]);
    process.kill((await at.worker.runningTask(app.instanceId)).pid, 'SIGKILL');
    await untilSeen(app, 2, 'one');

    await at.api.undeploy(app.serviceId, 0);
    await at.api.deploy(app.serviceId);
    const next = { instanceId: app.instanceId.replace(/0$/, '1') };
    await untilSeen(next, 1, 'two');
    expect((await read(1)).hasNewerVersions).toBe(false);
  });

  it('are refused to a service when they are not there', async () => {
    await expect(
      at.submit({ name: 'app', image, fields: { secrets: [{ secret: 'no', environment: 'A' }] } }),
    ).rejects.toThrow('names the secret');
  });

  const named = async (kind: string, name: string) =>
    (await v2<{ items: SealedObjectResource[] }>('GET', `/${kind}?name=${name}`))
      .items[0] as SealedObjectResource;
});

/** Paths of the files that hold the text, plainly or in base64. */
function filesWith(text: string, places: readonly string[]): string[] {
  // Wherever base64 begins to count, all but the ends of it look the same.
  const needles = [text, ...[0, 1, 2].map((shift) => encoded(text, shift))];
  return places.flatMap(filesOf).filter((path) => {
    const bytes = readFileSync(path);
    return needles.some((needle) => bytes.includes(needle));
  });
}

function encoded(text: string, shift: number): string {
  return Buffer.from(' '.repeat(shift) + text)
    .toString('base64')
    .slice(4, -4);
}

function filesOf(place: string): string[] {
  if (statSync(place).isFile()) return [place];
  const entries = readdirSync(place, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
