import { Agent, request } from 'node:https';
import type { Page, ServiceResource } from '@oakestra/contracts/api';
import { type Random, seededRandom, sleep, systemClock } from '@oakestra/daemon';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Installation, openInstallation, slaOf } from './installation/index.ts';

/** Requests under way at any time, each by a client of its own. */
const CLIENTS = 200;
const USERS = 4;
/** Clients whose services really run; those of the others want more memory than there is. */
const REAL_CLIENTS = 3;
const MOST_SERVICES = 5;
const DURATION_MS = process.env.OAKESTRA_TEST_FULL === '1' ? 60_000 : 15_000;
const TIMEOUT_MS = 30_000;
/** How long a client that got no answer waits before it asks for something else. */
const PAUSE_MS = 100;
const PAGE = 1000;
const PASSWORD = 'load-test-password';

const seed = Number(process.env.E2E_SEED ?? Math.floor(Math.random() * 2 ** 31));

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What a client knows of one of its applications, which has one service. */
interface Entry {
  readonly name: string;
  applicationId: string;
  serviceId: string;
  /** As last answered. */
  replicas: number;
  /** `uncertain`: a change got no answer, so it may have been made or not. */
  state: 'there' | 'gone' | 'uncertain';
}

interface Client {
  readonly number: number;
  readonly token: string;
  readonly entries: Entry[];
}

describe('many users at once', () => {
  const clock = systemClock();
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  let at: Installation;
  let image: string;
  let tokens: readonly string[];
  let nextName = 0;

  beforeAll(async () => {
    console.log(`load test with E2E_SEED=${seed}`);
    at = await openInstallation();
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
    const names = Array.from({ length: USERS }, (_, index) => `user${index}`);
    for (const name of names) {
      const user = { name, email: '', password: PASSWORD, roles: [] };
      await at.api.call('POST', '/api/auth/register', user);
    }
    tokens = await Promise.all(
      names.map(async (username) => {
        const answer = await ask('POST', '/api/auth/login', '', { username, password: PASSWORD });
        expect(answer?.status).toBe(200);
        const { token } = (answer as Answer).body as { readonly token: string };
        return token;
      }),
    );
  });
  afterAll(async () => {
    agent.destroy();
    await at?.close();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    for (const token of tokens) {
      for (const { id } of await everything(token, 'applications')) {
        expect((await ask('DELETE', `/api/v2/applications/${id}`, token))?.status).toBe(204);
      }
    }
    await at.untilNothingIsLeft();
  });

  it('get what they were told, and nothing is lost', async () => {
    const run = startLoad(seededRandom(seed));
    await sleep(clock, DURATION_MS);
    const { clients, complaints, unanswered } = await run.stop();
    expect(complaints).toEqual([]);
    expect(unanswered).toBe(0);
    await expectAsAnswered(clients);
  });

  it('find everything that was answered when the root is killed in the middle', async () => {
    const run = startLoad(seededRandom(seed + 1));
    await sleep(clock, DURATION_MS / 2);
    await at.root.kill();
    await at.root.start();
    await at.untilConnected();
    await sleep(clock, DURATION_MS / 2);
    const { clients, complaints, unanswered } = await run.stop();
    expect(complaints).toEqual([]);
    // Otherwise it was not killed under load.
    expect(unanswered).toBeGreaterThan(0);
    await expectAsAnswered(clients);
  });

  /** Undefined: there was no answer. */
  function ask(method: string, path: string, token: string, body?: unknown): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const headers = {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const call = request(
        {
          ...{ host: at.root.host.address, port: 10_000, ca: at.authority.caPem, agent },
          ...{ method, path, headers, timeout: TIMEOUT_MS },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.once('error', () => resolve(undefined));
          response.once('end', () => {
            const text = Buffer.concat(parts).toString();
            resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) });
          });
        },
      );
      call.once('timeout', () => call.destroy());
      call.once('error', () => resolve(undefined));
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async function everything(
    token: string,
    list: 'applications' | 'services',
  ): Promise<(ServiceResource & { readonly serviceIds?: readonly string[] })[]> {
    const found: ServiceResource[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const answer = await ask('GET', `/api/v2/${list}?limit=${PAGE}${query}`, token);
      expect(answer?.status).toBe(200);
      const page = answer?.body as Page<ServiceResource>;
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    return found;
  }

  function startLoad(random: Random) {
    const complaints: string[] = [];
    let unanswered = 0;
    let isOver = false;
    const clients = Array.from(
      { length: CLIENTS },
      (_, number): Client => ({ number, token: tokens[number % USERS] as string, entries: [] }),
    );

    /** Undefined: it was not answered, or refused. */
    const tell = async (
      { token }: Client,
      method: string,
      path: string,
      body?: unknown,
    ): Promise<Answer | 'refused' | undefined> => {
      const answer = await ask(method, `/api/v2${path}`, token, body);
      if (answer === undefined) {
        unanswered += 1;
        await sleep(clock, PAUSE_MS);
        return undefined;
      }
      if (answer.status < 300) return answer;
      const { code } = (answer.body ?? {}) as { readonly code?: unknown };
      // Whoever asks only for what is there may be told to come again, and nothing else.
      const isClear = (answer.status === 409 || answer.status === 429) && typeof code === 'string';
      if (!isClear) complaints.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return 'refused';
    };

    const create = async (client: Client): Promise<void> => {
      const name = `load${(nextName++).toString(36)}`;
      const fields = client.number < REAL_CLIENTS ? {} : { memory: 900_000_000 };
      const entry: Entry = { name, applicationId: '', serviceId: '', replicas: 0, state: 'uncertain' };
      client.entries.push(entry);
      const answer = await tell(client, 'POST', '/applications', slaOf({ name, image, fields }));
      if (answer === undefined) return;
      if (answer === 'refused') entry.state = 'gone';
      else {
        const { applications } = answer.body as {
          readonly applications: readonly { readonly id: string; readonly serviceIds: readonly string[] }[];
        };
        entry.applicationId = applications[0]?.id ?? '';
        entry.serviceId = applications[0]?.serviceIds[0] ?? '';
        entry.state = 'there';
      }
    };
    const change = async (client: Client, entry: Entry, share: number): Promise<void> => {
      if (share < 0.3) {
        const answer = await tell(client, 'DELETE', `/applications/${entry.applicationId}`);
        if (answer !== 'refused') entry.state = answer === undefined ? 'uncertain' : 'gone';
        return;
      }
      const replicas = Math.floor(random.fraction() * (client.number < REAL_CLIENTS ? 2 : 3));
      const answer = await tell(client, 'PUT', `/services/${entry.serviceId}/replicas`, { replicas });
      if (answer === undefined) entry.state = 'uncertain';
      else if (answer !== 'refused') entry.replicas = replicas;
    };
    const read = async (client: Client, entry: Entry): Promise<void> => {
      const answer = await tell(client, 'GET', `/services/${entry.serviceId}`);
      if (answer === undefined || answer === 'refused') return;
      if ((answer.body as ServiceResource).id !== entry.serviceId)
        complaints.push('another service was read');
    };
    const live = async (client: Client): Promise<void> => {
      while (!isOver) {
        const there = client.entries.filter(({ state }) => state === 'there');
        const entry = there[Math.floor(random.fraction() * there.length)];
        const share = random.fraction();
        if (entry === undefined || (share < 0.2 && there.length < MOST_SERVICES)) await create(client);
        else if (share < 0.5) await change(client, entry, random.fraction());
        else if (share < 0.95) await read(client, entry);
        else await tell(client, 'GET', '/services?limit=100');
      }
    };
    const lives = Promise.all(clients.map(live));
    return {
      async stop() {
        isOver = true;
        await lives;
        return { clients, complaints, unanswered };
      },
    };
  }

  /** Compares what the root has with what it answered, and what runs with what is wanted. */
  async function expectAsAnswered(clients: readonly Client[]): Promise<void> {
    const [lost, revived] = [[] as string[], [] as string[]];
    for (const token of new Set(tokens)) {
      const entries = clients.filter((client) => client.token === token).flatMap((client) => client.entries);
      const applications = await everything(token, 'applications');
      const services = new Map((await everything(token, 'services')).map((service) => [service.id, service]));
      const isThere = new Set(applications.map(({ name }) => name));
      for (const { name, state, serviceId } of entries) {
        if (state === 'there' && !(isThere.has(name) && services.has(serviceId))) lost.push(name);
        if (state === 'gone' && isThere.has(name)) revived.push(name);
      }
      const known = new Set(entries.map(({ name }) => name));
      expect(applications.filter(({ name }) => !known.has(name))).toEqual([]);
      // What an unanswered removal began is there as a whole, or not at all.
      expect(applications.flatMap(({ serviceIds = [] }) => serviceIds).sort()).toEqual(
        [...services.keys()].sort(),
      );
    }
    expect(lost).toEqual([]);
    expect(revived).toEqual([]);
    const created = clients.flatMap(({ entries }) => entries);
    expect(created.some(({ state }) => state === 'there')).toBe(true);
    expect(created.some(({ state }) => state === 'gone')).toBe(true);

    await eventually(
      async () => {
        const found = new Map<string, ServiceResource>();
        for (const token of tokens) {
          for (const service of await everything(token, 'services')) found.set(service.id, service);
        }
        const wrong = created
          .filter(({ state, replicas, serviceId }) => {
            return state === 'there' && found.get(serviceId)?.replicas !== replicas;
          })
          .map(
            ({ name, replicas, serviceId }) => `${name}: ${replicas}, not ${found.get(serviceId)?.replicas}`,
          );
        if (wrong.length > 0) throw new Error(wrong.slice(0, 5).join('; '));
        const real = clients.filter(({ number }) => number < REAL_CLIENTS).flatMap(({ entries }) => entries);
        const wanted = real.reduce((sum, { serviceId }) => sum + (found.get(serviceId)?.replicas ?? 0), 0);
        const { length: running } = await at.worker.runningTasks();
        if (running !== wanted) throw new Error(`${running} containers run, ${wanted} are wanted`);
        return true;
      },
      { timeoutMs: 60_000, describe: 'what runs to be what is wanted', intervalMs: 500 },
    );
  }
});
