import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import type { Migrations } from './migrations.ts';
import { openPostgresStore, type PostgresStoreOptions } from './open-postgres-store.ts';
import { openStore } from './open-store.ts';
import { expectChanges } from './statement.ts';
import type { Store } from './store.ts';
import { type LogLine, recordingLogger, testClock, testRandom } from './test-ports.ts';
import { startTestPostgres, type TestPostgres, testPostgresPassword } from './test-postgres.ts';

const full = { durability: 'full' } as const;
let server: TestPostgres;
let url: Sensitive;
let databases = 0;
let database: string;
const opened: Store<ConformanceSchema>[] = [];
const lines: LogLine[] = [];

async function open(options: Partial<PostgresStoreOptions> = {}): Promise<Store<ConformanceSchema>> {
  const store = await openPostgresStore<ConformanceSchema>({
    url,
    migrations: conformanceMigrations,
    logger: recordingLogger((line) => lines.push(line)),
    clock: testClock,
    random: testRandom,
    ...options,
  });
  opened.push(store);
  return store;
}
const boxOf = (store: Store<ConformanceSchema>, id: string, size = 1) =>
  store.db.insertInto('boxes').values({ id, label: `box ${id}`, size, weight: null });
const ids = async (store: Store<ConformanceSchema>) =>
  (await store.db.selectFrom('boxes').select('id').orderBy('id').execute()).map(({ id }) => id);
async function failureOf(promise: Promise<unknown>): Promise<OakestraError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(OakestraError);
  return outcome as OakestraError;
}
/** Commits numbered rows, eight at a time, until `isDone`; what was answered how. */
async function commitUntil(store: Store<ConformanceSchema>, isDone: (answered: Answers) => boolean) {
  const answered: Answers = { stored: [], failed: [], codes: new Set() };
  let next = 0;
  const one = async (): Promise<void> => {
    while (!isDone(answered)) {
      const id = `${next}`;
      next += 1;
      const item = store.db.insertInto('items').values({ id, box: id, position: 0 });
      try {
        await store.commit([boxOf(store, id), item], full);
        answered.stored.push(id);
      } catch (error) {
        answered.failed.push(id);
        answered.codes.add((error as OakestraError).code);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return answered;
}
interface Answers {
  readonly stored: string[];
  readonly failed: string[];
  readonly codes: Set<string>;
}
/** Nothing that was answered is missing, and nothing is there in part. */
async function expectKept(store: Store<ConformanceSchema>, { stored, failed }: Answers): Promise<void> {
  const present = await ids(store);
  const items = await store.db.selectFrom('items').select('id').orderBy('id').execute();
  expect(items.map(({ id }) => id)).toEqual(present);
  expect(stored.filter((id) => !present.includes(id))).toEqual([]);
  expect(present.filter((id) => !stored.includes(id) && !failed.includes(id))).toEqual([]);
}

beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  databases += 1;
  database = `store_${databases}`;
  url = await server.createDatabase(database);
  lines.length = 0;
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

describe('a server that is killed in the middle of commits', () => {
  it('has every commit that was answered, none in part, and is used again by itself', async () => {
    const store = await open();
    let restarted: Promise<void> | undefined;
    const answered = await commitUntil(store, ({ stored, failed }) => {
      if (restarted === undefined && stored.length > 100) {
        restarted = server.kill().then(() => server.start());
      }
      return failed.length > 0 && stored.length > 300;
    });
    await restarted;
    expect(answered.failed.length).toBeGreaterThan(0);
    expect([...answered.codes].filter((code) => !/store-(connection-lost|cannot-open)/.test(code))).toEqual(
      [],
    );
    await expectKept(store, answered);
    expect(lines.map(({ message }) => message)).toContain('the store writes again');
  });
});

describe('connections that are cut', () => {
  it('cost what was under way and nothing that was answered', async () => {
    const store = await open();
    let cut = 0;
    const answered = await commitUntil(store, ({ stored }) => {
      if (stored.length > 100 * (cut + 1) && cut < 3) {
        cut += 1;
        void server.query(
          'postgres',
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`,
        );
      }
      return stored.length > 500;
    });
    expect(cut).toBe(3);
    expect([...answered.codes].filter((code) => code !== 'store-connection-lost')).toEqual([]);
    await expectKept(store, answered);
  });

  it('while they are idle are not noticed by the next commit and the next read', async () => {
    const store = await open();
    await store.commit([boxOf(store, 'a')], full);
    expect(await ids(store)).toEqual(['a']);
    const killed = await server.query(
      'postgres',
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`,
    );
    expect(killed.length).toBeGreaterThan(1);
    await expect
      .poll(() => lines.filter(({ message }) => /idle connection/.test(message)).length)
      .toBe(killed.length);
    await store.commit([boxOf(store, 'b')], full);
    expect(await ids(store)).toEqual(['a', 'b']);
  });

  it('are given up when the server falls silent', async () => {
    const store = await open({ replyTimeoutMs: 300 });
    await store.commit([boxOf(store, 'a')], full);
    const [writer] = await server.query(
      'postgres',
      `select pid from pg_stat_activity where datname = '${database}' and query like '%COMMIT%'`,
    );
    const pid = Number(writer!.pid);
    process.kill(pid, 'SIGSTOP');
    try {
      const error = await failureOf(store.commit([boxOf(store, 'b')], full));
      expect([error.kind, error.code]).toEqual(['unavailable', 'store-connection-lost']);
      // Others are served meanwhile.
      await store.commit([boxOf(store, 'c')], full);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(await ids(store)).toContain('c');
  });
});

describe('an address that does not work', () => {
  const secretsIn = (texts: readonly unknown[]): boolean =>
    texts.some((text) => {
      const said = JSON.stringify(text, (_key, value) =>
        value instanceof Error
          ? { ...value, message: value.message, stack: value.stack, cause: value.cause }
          : value,
      );
      return [testPostgresPassword, encodeURIComponent(testPostgresPassword), 'wrong-geheim'].some((secret) =>
        said.includes(secret),
      );
    });

  it.each([
    ['a wrong password', () => server.url(database, 'wrong-geheim')],
    ['no such database', () => server.url('nowhere')],
    ['nobody listens', () => replaced(server.url(database), `:${server.port}/`, ':1/')],
    ['no such machine', () => replaced(server.url(database), '127.0.0.1', 'nowhere.invalid')],
  ])('says what is wrong and not the password: %s', async (_name, addressOf) => {
    const error = await failureOf(open({ url: addressOf() }));
    expect([error.kind, error.code]).toEqual(['unavailable', 'store-cannot-open']);
    expect(error.message).toContain('postgresql://postgres@');
    expect(secretsIn([error, ...lines])).toBe(false);
  });

  it('is not repeated when it cannot be read', async () => {
    for (const wrong of [
      'postgresql://user:wrong-geheim@host:port:port/x',
      'postgres://u:wrong-geheim%zz@h/x',
      'mysql://wrong-geheim',
    ]) {
      const error = await failureOf(
        openStore({
          url: replaced(server.url(''), server.url('').reveal(), wrong),
          migrations: {},
          logger: recordingLogger((line) => lines.push(line)),
          clock: testClock,
          random: testRandom,
        }),
      );
      expect(error.code).toMatch(/^store-(?:url|cannot-open)$/);
      expect(secretsIn([error, ...lines])).toBe(false);
    }
  });

  function replaced(address: Sensitive, from: string, to: string): Sensitive {
    const text = address.reveal().replace(from, to);
    return new (address.constructor as new (text: string) => Sensitive)(text);
  }
});

describe('several openers at once', () => {
  const slow: Migrations = {
    ...conformanceMigrations,
    '0003-once': {
      async up(db) {
        await sql`create table once (id text)`.execute(db);
        await sql`select pg_sleep(0.3)`.execute(db);
        await sql`insert into once values ('x')`.execute(db);
      },
    },
  };

  it('bring a new database up to date once, and agree on its incarnation', async () => {
    const stores = await Promise.all(Array.from({ length: 6 }, () => open({ migrations: slow })));
    expect((await sql`select * from once`.execute(stores[0]!.db)).rows).toHaveLength(1);
    expect(new Set(stores.map(({ incarnation }) => incarnation)).size).toBe(1);
  });

  it('upgrade an existing one once, while a program of before goes on', async () => {
    const old = await open();
    await Promise.all([open({ migrations: slow }), open({ migrations: slow }), open({ migrations: slow })]);
    expect((await sql`select * from once`.execute(old.db)).rows).toHaveLength(1);
    await old.commit([boxOf(old, 'a')], full);
    expect(lines.filter(({ message }) => /way back is a backup/.test(message))).toHaveLength(1);
  });

  it('do not wait for one that died in the middle', async () => {
    const dying = open({
      migrations: {
        ...slow,
        '0004-long': { up: async (db) => void (await sql`select pg_sleep(60)`.execute(db)) },
      },
    });
    const failed = failureOf(dying);
    const running = `select pid from pg_stat_activity where datname = '${database}' and query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()`;
    await expect.poll(() => server.query('postgres', running), { timeout: 10_000 }).toHaveLength(1);
    const next = open({ migrations: slow });
    await server.query('postgres', running.replace('select pid', 'select pg_terminate_backend(pid)'));
    const store = await next;
    expect((await sql`select * from once`.execute(store.db)).rows).toHaveLength(1);
    expect((await failed).kind).toBe('unavailable');
  });

  it('change the same rows as if one after the other', async () => {
    const [left, right] = [await open(), await open()];
    await left.commit([boxOf(left, 'a', 0)], full);
    const increment = (store: Store<ConformanceSchema>) =>
      store.transaction(async (tx) => {
        const { size } = await tx
          .selectFrom('boxes')
          .select('size')
          .where('id', '=', 'a')
          .executeTakeFirstOrThrow();
        await tx
          .updateTable('boxes')
          .set({ size: size + 1 })
          .where('id', '=', 'a')
          .execute();
      });
    await Promise.all(Array.from({ length: 20 }, (_, index) => increment(index % 2 === 0 ? left : right)));
    expect(await right.db.selectFrom('boxes').select('size').execute()).toEqual([{ size: 20 }]);
    // Of two that want the same step exactly one may take it.
    for (let size = 20; size < 40; size += 1) {
      const outcomes = await Promise.allSettled(
        [left, right].map((store) => {
          const step = store.db
            .updateTable('boxes')
            .set({ size: size + 1 })
            .where('size', '=', size);
          return store.commit([expectChanges(step)], full);
        }),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });

  it('keep a condition over several rows, which each of them alone would not break', async () => {
    const [left, right] = [await open(), await open()];
    await left.commit([boxOf(left, 'a'), boxOf(left, 'b')], full);
    // One of the two boxes has to keep its size: each looks at both, when the other has looked, and changes its own.
    let looked = 0;
    let meet = (): void => {};
    const bothLooked = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const shrink = (store: Store<ConformanceSchema>, id: string) =>
      store.transaction(async (tx) => {
        const rows = await tx.selectFrom('boxes').select('size').where('size', '=', 1).execute();
        looked += 1;
        if (looked >= 2) meet();
        await bothLooked;
        if (rows.length === 2) {
          await tx.updateTable('boxes').set({ size: 0 }).where('id', '=', id).execute();
        }
      });
    await Promise.all([shrink(left, 'a'), shrink(right, 'b')]);
    // One of them looked again.
    expect(looked).toBe(3);
    const rest = await left.db.selectFrom('boxes').select('id').where('size', '=', 1).execute();
    expect(rest).toHaveLength(1);
  });
});

describe('commits in flight together', () => {
  it('share trips and syncs, also those of a leader', async () => {
    const store = await open();
    await store.commit([boxOf(store, 'a', 0)], full);
    const before = store.statistics;
    const still = store.db.updateTable('boxes').set({ label: 'still' }).where('id', '=', 'a');
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        store.commit([boxOf(store, `${index}`), expectChanges(still)], full),
      ),
    );
    const { batches, groups } = store.statistics;
    expect([batches - before.batches, groups - before.groups <= 3]).toEqual([300, true]);
    expect(await ids(store)).toHaveLength(301);
  });
});

describe('the incarnation', () => {
  it('is new in a copy of the database, and stays otherwise, whoever the user is', async () => {
    await server.query('postgres', `create role plain_${databases} login password 'x'`);
    await server.query('postgres', `alter database ${database} owner to plain_${databases}`);
    url = new (url.constructor as new (text: string) => Sensitive)(
      `postgresql://plain_${databases}:x@127.0.0.1:${server.port}/${database}`,
    );
    const store = await open();
    const { incarnation } = store;
    const facts = await sql<{
      value: string;
    }>`select value from oakestra_meta where key = 'store.file'`.execute(store.db);
    expect(facts.rows[0]!.value).toMatch(/^\d+:\d+:\d+:[0-9A-F]{8}$/);
    await store.close();
    expect((await open()).incarnation).toBe(incarnation);
    await opened.pop()!.close();
    url = await server.createDatabase(`${database}_copy`, database);
    lines.length = 0;
    const copy = await open();
    expect(copy.incarnation).not.toBe(incarnation);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await copy.close();
    expect((await open()).incarnation).toBe(copy.incarnation);
  });

  it('is new when the tables were restored in place', async () => {
    const { incarnation } = await open();
    await opened.pop()!.close();
    // What a dump does that is read back into the database that it came from.
    await server.query(
      database,
      `create table dumped as select * from oakestra_meta; drop table oakestra_meta;
       create table oakestra_meta (key text collate "C" primary key, value text not null);
       insert into oakestra_meta select * from dumped; drop table dumped`,
    );
    expect((await open()).incarnation).not.toBe(incarnation);
  });
});
