import { join } from 'node:path';
import type { BenchmarkReport, Table } from '../report.ts';
import { shown } from '../report.ts';
import { median, quantile } from '../statistics.ts';
import { watchLoad } from '../system/index.ts';
import { syncedTransactionsPerSecond, verificationsPerSecond } from './floors.ts';
import { CONNECTIONS } from './https-client.ts';
import { measureRate, type Rate } from './rate.ts';
import { type RootAlone, startRootAlone } from './root-alone.ts';

const SERVICES = 10_000;
const SERVICES_PER_SLA = 100;
const PAGE = 1000;
/** Each logs in once: whoever was right a moment ago is not checked again. */
const USERS = 120;
const LISTS = 30;
const ROUNDS = 3;
const ROUND_MS = 2000;

/** What the API of a root serves, without clusters: everything that is measured is the root's own work. */
export async function measureApi(): Promise<BenchmarkReport> {
  const load = watchLoad();
  const root = await startRootAlone();
  try {
    const token = await loginAs(root, 'Admin', root.adminPassword);
    const logins = await measureLogins(root, token);
    const creation = await measureCreation(root, token);
    const reads = await measureReads(root, token);
    const lists = await measureLists(root, token);
    const bareMib = await root.bareMib();
    return {
      name: 'api',
      conditions: {
        ...load.finish(),
        connections: `${CONNECTIONS}, HTTPS, kept open`,
        services: `${SERVICES}, in SLAs of ${SERVICES_PER_SLA}`,
      },
      figures: [
        {
          ...{ name: 'login_per_s', unit: '1/s', value: logins.fresh.perSecond },
          reference: { name: 'argon2id verifications', value: logins.floor },
        },
        {
          ...{ name: 'create_service_per_s', unit: '1/s', value: creation.perSecond },
          reference: { name: 'synced SQLite transactions', value: creation.floor },
        },
        {
          ...{ name: 'read_service_per_s', unit: '1/s', value: reads.perSecond },
          reference: { name: 'bare HTTPS server, same bytes', value: reads.floor },
        },
        {
          ...{ name: 'list_10k_services_p99_ms', unit: 'ms', value: quantile(lists.classicMs, 0.99) },
          reference: { name: 'JSON.stringify of the same', value: quantile(lists.stringifyMs, 0.99) },
        },
        {
          ...{ name: 'root_rss_mib', unit: 'MiB', value: root.peakMib() },
          reference: { name: 'bare node process', value: bareMib },
        },
      ],
      details: [
        latencyTable({
          'first login of a user': logins.fresh.latenciesMs,
          'login again within a minute': logins.again.latenciesMs,
          [`SLA of ${SERVICES_PER_SLA} services`]: creation.latenciesMs,
          'one service (v2)': reads.latenciesMs,
          [`${SERVICES} services, one answer (classic, ${shown(lists.classicMib)} MiB)`]: lists.classicMs,
          [`${SERVICES} services, ${SERVICES / PAGE} pages (v2)`]: lists.pagedMs,
        }),
        {
          title: 'Logins of one user again and again',
          rows: [[`${shown(logins.again.perSecond)} a second`]],
        },
      ],
    };
  } catch (error) {
    process.stderr.write(`${await root.logs()}\n`);
    throw error;
  } finally {
    await root.close();
  }
}

async function loginAs({ api }: RootAlone, username: string, password: string): Promise<string> {
  const answer = await api.send('POST', '/api/auth/login', { body: { username, password } });
  return (JSON.parse(answer.toString()) as { readonly token: string }).token;
}

async function measureLogins(
  root: RootAlone,
  token: string,
): Promise<{ readonly fresh: Rate; readonly again: Rate; readonly floor: number }> {
  const userOf = (turn: number) => `user${turn}`;
  const register = (turn: number) =>
    root.api.send('POST', '/api/auth/register', {
      ...{ token, body: { name: userOf(turn), email: '', password: 'benchmark-password', roles: [] } },
    });
  await measureRate({ concurrent: CONNECTIONS, times: USERS, work: register });
  const before = await verificationsPerSecond(ROUND_MS);
  const work = (turn: number) => loginAs(root, userOf(turn), 'benchmark-password');
  const fresh = await measureRate({ concurrent: CONNECTIONS, times: USERS, work });
  const floor = median([before, await verificationsPerSecond(ROUND_MS)]);
  const again = await measureRate({ concurrent: CONNECTIONS, durationMs: ROUND_MS, work: () => work(0) });
  return { fresh, again, floor };
}

async function measureCreation(root: RootAlone, token: string): Promise<Rate & { readonly floor: number }> {
  const floorOf = () => syncedTransactionsPerSecond(join(root.directory, 'floor'), ROUND_MS);
  const before = await floorOf();
  const { perSecond, latenciesMs } = await measureRate({
    // As many clients as a busy installation has; each waits for its answer.
    concurrent: 2,
    times: SERVICES / SERVICES_PER_SLA,
    work: (turn) => root.api.send('POST', '/api/v2/applications', { token, body: slaOf(turn) }),
  });
  const floor = median([before, await floorOf()]);
  return { perSecond: perSecond * SERVICES_PER_SLA, latenciesMs, floor };
}

async function measureReads(root: RootAlone, token: string): Promise<Rate & { readonly floor: number }> {
  const [one] = (await pageOf(root, token, '')).items;
  const path = `/api/v2/services/${one?.id}`;
  const bare = await root.startBareServer(await root.api.send('GET', path, { token }));
  const [ours, floors]: [Rate[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const span = { concurrent: CONNECTIONS, durationMs: ROUND_MS };
    ours.push(await measureRate({ ...span, work: () => root.api.send('GET', path, { token }) }));
    floors.push((await measureRate({ ...span, work: () => bare.send('GET', path, { token }) })).perSecond);
  }
  return {
    perSecond: median(ours.map(({ perSecond }) => perSecond)),
    latenciesMs: ours.flatMap(({ latenciesMs }) => latenciesMs),
    floor: median(floors),
  };
}

interface Lists {
  readonly classicMs: readonly number[];
  readonly stringifyMs: readonly number[];
  readonly pagedMs: readonly number[];
  readonly classicMib: number;
}

async function measureLists(root: RootAlone, token: string): Promise<Lists> {
  const [classicMs, stringifyMs, pagedMs]: [number[], number[], number[]] = [[], [], []];
  let classicMib = 0;
  for (let round = 0; round < LISTS; round += 1) {
    const startedMs = performance.now();
    const answer = await root.api.send('GET', '/api/services', { token });
    const endedMs = performance.now();
    classicMs.push(endedMs - startedMs);
    classicMib = answer.length / 2 ** 20;
    // JSON in a JSON text, as the original writes it.
    const document = JSON.parse(JSON.parse(answer.toString()) as string) as unknown[];
    if (document.length !== SERVICES) throw new Error(`the list has ${document.length} services`);
    const stringifyFromMs = performance.now();
    JSON.stringify(document);
    stringifyMs.push(performance.now() - stringifyFromMs);
    const pagedFromMs = performance.now();
    let count = 0;
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { items, nextCursor } = await pageOf(root, token, cursor);
      count += items.length;
      cursor = nextCursor;
    }
    pagedMs.push(performance.now() - pagedFromMs);
    if (count !== SERVICES) throw new Error(`the pages have ${count} services`);
  }
  return { classicMs, stringifyMs, pagedMs, classicMib };
}

interface ServicePage {
  readonly items: readonly { readonly id: string }[];
  readonly nextCursor: string | null;
}

async function pageOf({ api }: RootAlone, token: string, cursor: string): Promise<ServicePage> {
  const path = `/api/v2/services?limit=${PAGE}${cursor === '' ? '' : `&cursor=${cursor}`}`;
  return JSON.parse((await api.send('GET', path, { token })).toString()) as ServicePage;
}

function slaOf(turn: number) {
  const service = (index: number) => ({
    ...{ microservice_name: `s${index}`, microservice_namespace: 'bench', virtualization: 'container' },
    ...{ code: 'docker.io/library/nginx:alpine', memory: 64, vcpus: 1, storage: 0, port: '8080:80' },
    ...{ cmd: ['nginx', '-g', 'daemon off;'], environment: ['MODE=bench', 'LEVEL=info'] },
  });
  return {
    ...{ sla_version: 'v2.0', customerID: 'Admin' },
    applications: [
      {
        ...{ application_name: `app${turn}`, application_namespace: 'bench', application_desc: '' },
        microservices: Array.from({ length: SERVICES_PER_SLA }, (_, index) => service(index)),
      },
    ],
  };
}

function latencyTable(latencies: Readonly<Record<string, readonly number[]>>): Table {
  const rows = Object.entries(latencies).map(([name, ms]) => [
    name,
    ...[0.5, 0.9, 0.99].map((share) => shown(quantile(ms, share))),
    shown(Math.max(...ms)),
    String(ms.length),
  ]);
  return {
    title: 'How long it takes, ms',
    rows: [['', 'median', 'p90', 'p99', 'longest', 'times'], ...rows],
  };
}
