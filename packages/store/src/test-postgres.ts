import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Sensitive } from '@oakestra/contracts';
import { Client } from 'pg';

const run = promisify(execFile);
const user = 'postgres';
/** Characters that have a meaning in URLs, to see that nobody trips over them. */
export const testPostgresPassword = 'geheim:/@#%1';
const startDeadlineMs = 60_000;
const prefix = 'oakestra-postgres-';
/** No test starts a server for so long. */
const abandonedAfterMs = 600_000;

/** A PostgreSQL server of the test's own, with real syncs, on a loopback port; `stop` removes it. */
export interface TestPostgres {
  readonly port: number;
  /** The server's process, to freeze it. */
  readonly pid: () => number;
  /** The address of a database; another password where one is given. */
  url(database: string, password?: string): Sensitive;
  /** The same through a socket in the file system, which other network namespaces reach too. */
  socketUrl(database: string): Sensitive;
  /** A new, empty database; a copy of `template` where one is given. */
  createDatabase(name: string, template?: string): Promise<Sensitive>;
  /** One statement as the superuser; the rows. */
  query(database: string, sql: string): Promise<Record<string, unknown>[]>;
  /** A power cut of the server, as far as the server can tell; `start` recovers. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function binaries(): Promise<string> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const newest = versions.sort((left, right) => Number(left) - Number(right)).at(-1);
  if (newest === undefined) {
    throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  }
  return `/usr/lib/postgresql/${newest}/bin`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function numberOf(kind: '-u' | '-g'): Promise<number> {
  return Number((await run('id', [kind, user])).stdout);
}

/** What test runs left that were killed: folders whose server is gone. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const folder = join(tmpdir(), name);
    if (name.startsWith(prefix) && (await stat(folder)).mtimeMs < Date.now() - abandonedAfterMs) {
      const [pid] = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8').catch(() => '')).split(
        '\n',
      );
      const isAlive = pid !== undefined && pid !== '' && (await stat(`/proc/${pid}`).catch(() => undefined));
      if (!isAlive) {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }
}

export async function startTestPostgres(): Promise<TestPostgres> {
  await sweep();
  const folder = await mkdtemp(join(tmpdir(), prefix));
  try {
    return await serverIn(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function serverIn(folder: string): Promise<TestPostgres> {
  const bin = await binaries();
  const [uid, gid, port] = [await numberOf('-u'), await numberOf('-g'), await freePort()];
  const data = join(folder, 'data');
  const log: string[] = [];
  let server: ChildProcess | undefined;

  await chown(folder, uid, gid);
  // A collation that is not the order of bytes: the store must not depend on it.
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en'];
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, testPostgresPassword, { mode: 0o644 });
  const access = ['-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  const asUser = { uid, gid, cwd: folder };
  await run(join(bin, 'initdb'), ['-D', data, '-U', user, '--no-sync', ...access, ...locale], asUser);
  await start();

  function addressOf(database: string, password = testPostgresPassword): string {
    return `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  }

  async function query(database: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: addressOf(database) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function start(): Promise<void> {
    const settings = [
      'fsync=on',
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      `unix_socket_directories=${folder}`,
      'shared_buffers=16MB',
      'max_connections=40',
    ];
    const endMs = performance.now() + startDeadlineMs;
    for (;;) {
      // It ends with this process, however that ends.
      const leash = ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', '--pdeathsig', 'QUIT'];
      const program = [join(bin, 'postgres'), '-D', data, ...settings.flatMap((setting) => ['-c', setting])];
      const child = spawn('/usr/bin/setpriv', [...leash, ...program], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr?.on('data', (text: Buffer) => log.push(text.toString()));
      server = child;
      while (child.exitCode === null && child.signalCode === null && performance.now() < endMs) {
        const isReady = await query('postgres', 'select 1').then(
          () => true,
          () => false,
        );
        if (isReady) {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      // After a kill the server's children may still hold its memory for a moment.
      if (performance.now() >= endMs) {
        await shutDown('SIGQUIT');
        throw new Error(`PostgreSQL did not start: ${log.slice(-20).join('')}`);
      }
    }
  }

  async function shutDown(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    if (ending !== undefined && ending.exitCode === null && ending.signalCode === null) {
      const exited = once(ending, 'exit');
      ending.kill(signal);
      await exited;
    }
  }

  return {
    port,
    pid: () => server?.pid ?? 0,
    url: (database, password) => new Sensitive(addressOf(database, password)),
    socketUrl: (database) =>
      new Sensitive(
        `postgresql://${user}:${encodeURIComponent(testPostgresPassword)}@/${database}?host=${folder}&port=${port}`,
      ),
    async createDatabase(name, template = 'template0') {
      await query('postgres', `create database ${name} template ${template}`);
      return new Sensitive(addressOf(name));
    },
    query,
    kill: () => shutDown('SIGKILL'),
    start: () => start(),
    async stop() {
      await shutDown('SIGINT');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
