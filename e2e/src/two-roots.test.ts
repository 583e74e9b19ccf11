import { type Random, seededRandom, sleep, systemClock } from '@oakestra/daemon';
import { startTestPostgres, type TestPostgres } from '@oakestra/store/testing/postgres';
import { buildStaticWebImage, eventually } from '@oakestra/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Installation,
  instanceIdOf,
  openInstallation,
  slaOf,
  type TierProcess,
} from './installation/index.ts';

/** Clients of each root, one service each. */
const CLIENTS_PER_ROOT = 3;
const MOST_INSTANCES = 3;
const BEFORE_MS = 4000;
const AFTER_MS = 4000;
/** Beyond any lease. */
const FROZEN_MS = 4000;
/** What is promised is 3 s on an idle machine; this one may be busy. The figures are printed. */
const TAKEOVER_TIMEOUT_MS = 30_000;
const PAUSE_MS = 50;

const seed = Number(process.env.E2E_SEED ?? Math.floor(Math.random() * 2 ** 31));
const clock = systemClock();
const random = seededRandom(seed);

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What a client knows of its service. */
interface Client {
  readonly name: string;
  readonly serviceId: string;
  /** Deployments that were answered with success, and those of which nobody knows. */
  deployed: number;
  unclear: number;
  /** Numbers whose removal was answered with success, or may have happened. */
  readonly removed: Set<number>;
  readonly maybeRemoved: Set<number>;
}

describe('two roots on one PostgreSQL', () => {
  let server: TestPostgres;
  let at: Installation;
  let image: string;
  let roots: readonly TierProcess[];
  let nextName = 0;

  beforeAll(async () => {
    console.log(`two roots with E2E_SEED=${seed}`);
    server = await startTestPostgres();
    await server.createDatabase('roots');
    const env = { OAKESTRA_DATABASE_URL: server.socketUrl('roots').reveal() };
    at = await openInstallation({ furtherRoots: 1, env: { root: env, root2: env } });
    roots = [at.root, ...at.furtherRoots];
    image = await at.registry.push(await buildStaticWebImage(at.imageCache), 'web');
  });
  afterAll(async () => {
    await at?.close();
    await server?.stop();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await at.testbed.logs());
    await at.startAll();
    await at.untilConnected();
    for (const { applicationID } of await at.api.applications()) {
      await at.api.call('DELETE', `/api/application/${applicationID}`);
    }
    await at.untilNothingIsLeft();
  });

  it('lose and double nothing when the leader is killed during deployments', async () => {
    const clients: Client[] = [];
    // Back and forth: the second one to go has taken over before.
    for (let round = 0; round < 2; round += 1) {
      const leader = await leaderOf(roots);
      const heir = otherThan(leader);
      const load = await startLoad();
      await sleep(clock, BEFORE_MS);
      await leader.kill();
      const killedMs = clock.monotonicMs();
      await until('the other root to lead', () => leads(heir));
      const leadsMs = clock.monotonicMs() - killedMs;
      await until('a deployment through it', () => load.isAnsweredSince(killedMs));
      const answersMs = clock.monotonicMs() - killedMs;
      await until('the cluster to be linked to it', () => isLinked(heir));
      const linkedMs = clock.monotonicMs() - killedMs;
      console.log(
        `takeover after kill -9: leads after ${Math.round(leadsMs)} ms, first change answered after ` +
          `${Math.round(answersMs)} ms, cluster linked after ${Math.round(linkedMs)} ms`,
      );
      await sleep(clock, AFTER_MS);
      clients.push(...(await load.stop()));
      // Otherwise it was not killed under load.
      expect(load.unanswered()).toBeGreaterThan(0);
      await expectAsAnswered(heir, clients);
      await leader.start();
      // Who comes back follows, and answers the same.
      expect(await leads(leader)).toBe(false);
      await expectAsAnswered(leader, clients);
    }
  });

  it('write nothing under an old lease when the leader was frozen, and obey one at a time', async () => {
    const leader = await leaderOf(roots);
    const heir = otherThan(leader);
    const load = await startLoad();
    await sleep(clock, BEFORE_MS);
    await leader.freeze();
    const frozenMs = clock.monotonicMs();
    await until('the other root to lead', () => leads(heir));
    console.log(`takeover from a frozen leader: ${Math.round(clock.monotonicMs() - frozenMs)} ms`);
    await sleep(clock, FROZEN_MS);
    // Clients that asked the frozen one are served by whatever it finds in its sockets when it goes on.
    await leader.thaw();
    await until('the old leader to notice', async () => !(await leads(leader)));
    await sleep(clock, AFTER_MS);
    const clients = await load.stop();
    expect(await leads(heir)).toBe(true);
    expect(await leader.output()).toContain('leads no more');
    await until('the cluster to be linked', () => isLinked(heir));
    for (const root of roots) await expectAsAnswered(root, clients);
  });

  const otherThan = (leader: TierProcess): TierProcess =>
    roots.find((root) => root !== leader) as TierProcess;

  async function leads(root: TierProcess): Promise<boolean> {
    // Only for this machine, or with a token: which every root gives.
    const api = at.apiOf(root);
    const { body } = await api.request('GET', '/metrics', { token: await api.login() });
    return /^oakestra_root_leader 1$/m.test(String(body));
  }

  async function leaderOf(candidates: readonly TierProcess[]): Promise<TierProcess> {
    const states = await Promise.all(candidates.map(leads));
    expect(states.filter(Boolean)).toHaveLength(1);
    return candidates[states.indexOf(true)] as TierProcess;
  }

  async function isLinked(root: TierProcess): Promise<boolean> {
    const clusters = await at
      .apiOf(root)
      .call<{ active: boolean; active_nodes: number }[]>('GET', '/api/clusters');
    return clusters.length === 1 && clusters[0]?.active === true && clusters[0].active_nodes === 1;
  }

  function until(what: string, isReached: () => boolean | Promise<boolean>): Promise<unknown> {
    return eventually(
      async () => {
        if (!(await isReached())) throw new Error('not yet');
        return true;
      },
      { timeoutMs: TAKEOVER_TIMEOUT_MS, intervalMs: 25, describe: what },
    );
  }

  /** Asks one root, and the other one once that does not answer. */
  async function userOf(home: TierProcess, complaints: string[], onUnanswered: () => void) {
    let root = home;
    const token = await at.api.login();
    return {
      /** `unclear`: no answer, or one that says so. */
      async ask(method: Method, path: string): Promise<'done' | 'refused' | 'unclear'> {
        const answer = await at
          .apiOf(root)
          .request(method, path, { token })
          .catch(() => undefined);
        if (answer === undefined || answer.status === 503) {
          onUnanswered();
          root = otherThan(root);
          await sleep(clock, PAUSE_MS);
          return 'unclear';
        }
        if (answer.status < 300) return 'done';
        // An instance may be gone since an answer that never came.
        if (answer.status !== 404 || method === 'GET') {
          complaints.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
        }
        return 'refused';
      },
    };
  }

  /** Users of both roots; those of a root that does not answer ask the other one. */
  async function startLoad() {
    const complaints: string[] = [];
    let isOver = false;
    let lastDeployedMs = 0;
    let unanswered = 0;

    const client = async (): Promise<Client> => {
      const name = `two${(nextName++).toString(36)}`;
      const [application] = await at.api
        .submit(slaOf({ name, image, fields: { vcpus: 0, memory: 8 } }))
        .then((all) => all.filter((one) => one.application_name === name));
      const serviceId = application?.microservices[0] ?? '';
      return {
        ...{ name, serviceId },
        ...{ deployed: 0, unclear: 0, removed: new Set(), maybeRemoved: new Set() },
      };
    };

    const live = async (self: Client, home: TierProcess, dice: Pick<Random, 'fraction'>): Promise<void> => {
      const user = await userOf(home, complaints, () => {
        unanswered += 1;
      });
      const deploy = async (): Promise<void> => {
        const askedMs = clock.monotonicMs();
        const outcome = await user.ask('POST', `/api/service/${self.serviceId}/instance`);
        if (outcome === 'unclear') self.unclear += 1;
        if (outcome !== 'done') return;
        self.deployed += 1;
        lastDeployedMs = Math.max(lastDeployedMs, askedMs);
      };
      const remove = async (number: number): Promise<void> => {
        const outcome = await user.ask('DELETE', `/api/service/${self.serviceId}/instance/${number}`);
        if (outcome === 'unclear') self.maybeRemoved.add(number);
        if (outcome === 'done') self.removed.add(number);
      };
      const read = async (): Promise<void> => {
        await user.ask('GET', `/api/service/${self.serviceId}`);
      };
      while (!isOver) {
        const living = self.deployed - self.removed.size;
        const number = Math.floor(dice.fraction() * self.deployed);
        const share = dice.fraction();
        if (living < MOST_INSTANCES && share < 0.6) await deploy();
        else if (share < 0.8 && number < self.deployed && !self.removed.has(number)) await remove(number);
        else await read();
        await sleep(clock, PAUSE_MS);
      }
    };

    const clients: Client[] = [];
    for (let count = 0; count < CLIENTS_PER_ROOT * roots.length; count += 1) clients.push(await client());
    const lives = clients.map((self, index) =>
      live(
        self,
        roots[index % roots.length] as TierProcess,
        seededRandom(Math.floor(random.fraction() * 2 ** 31)),
      ),
    );
    return {
      unanswered: () => unanswered,
      isAnsweredSince: (atMs: number) => lastDeployedMs > atMs,
      async stop() {
        isOver = true;
        await Promise.all(lives);
        expect(complaints).toEqual([]);
        return clients;
      },
    };
  }

  /** Compares what a root has with what was answered, and what runs with what it has. */
  async function expectAsAnswered(root: TierProcess, clients: readonly Client[]): Promise<void> {
    const api = at.apiOf(root);
    for (const { name, serviceId, deployed, unclear, removed, maybeRemoved } of clients) {
      const numbers = (await api.service(serviceId)).instance_list.map((one) => one.instance_number);
      expect(new Set(numbers).size, `numbers of ${name}`).toBe(numbers.length);
      expect(
        numbers.filter((number) => removed.has(number)),
        `${name} came back`,
      ).toEqual([]);
      const gone = removed.size + maybeRemoved.size;
      expect(numbers.length, `${name}: answered and lost`).toBeGreaterThanOrEqual(deployed - gone);
      expect(numbers.length, `${name}: made twice`).toBeLessThanOrEqual(deployed + unclear - removed.size);
      // Each deployment took one number, so none is beyond all of them.
      expect(Math.max(-1, ...numbers), `${name}: numbers`).toBeLessThan(deployed + unclear);
      // Those below the answered ones were all given out.
      for (let number = 0; number < deployed && unclear === 0; number += 1) {
        if (!removed.has(number) && !maybeRemoved.has(number)) expect(numbers).toContain(number);
      }
    }
    await eventually(
      async () => {
        const wanted: string[] = [];
        for (const { name, serviceId } of clients) {
          const { instance_list: instances } = await api.service(serviceId);
          const waiting = instances.filter(({ status }) => status !== 'RUNNING');
          if (waiting.length > 0)
            throw new Error(`${name}: ${waiting.map(({ status }) => status).join(', ')}`);
          wanted.push(...instances.map((one) => instanceIdOf(name, one.instance_number)));
        }
        const running = (await at.worker.runningTasks()).map(({ id }) => id).sort();
        if (running.join() !== wanted.sort().join()) {
          throw new Error(`runs: ${running.join(' ')}; wanted: ${wanted.join(' ')}`);
        }
        return true;
      },
      { timeoutMs: 90_000, describe: 'exactly one container of each instance' },
    );
  }
});
