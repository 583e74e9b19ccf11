import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OakestraError } from '@oakestra/contracts';
import { freePorts, type ManagedProcess, openTestbed } from '@oakestra/testbed';
import { readMemory } from '../footprint/process-usage.ts';
import { type HttpsClient, openHttpsClient } from './https-client.ts';

/** A root without clusters, and beside it what it is compared to. */
export interface RootAlone {
  /** For temporary files. */
  readonly directory: string;
  readonly api: HttpsClient;
  readonly adminPassword: string;
  /** An HTTPS server of the engine, with the root's certificate, that answers these bytes to everything. */
  startBareServer(answer: Buffer): Promise<HttpsClient>;
  /** The most that the root occupied so far, as it was seen four times a second. */
  peakMib(): number;
  /** What a process of the engine that does nothing occupies. */
  bareMib(): Promise<number>;
  logs(): Promise<string>;
  close(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('../../../dist/oakestra.cjs', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const SAMPLE_EVERY_MS = 250;

export async function startRootAlone(): Promise<RootAlone> {
  if (!existsSync(PROGRAM)) {
    const message = 'There is nothing to measure yet: run "npm run build" first';
    throw new OakestraError('not-found', 'not-built', message);
  }
  const testbed = await openTestbed();
  try {
    const { directory } = testbed;
    const state = join(directory, 'root');
    await mkdir(state, { recursive: true, mode: 0o700 });
    const [api, cluster, abstractor, key, bare] = await freePorts(5);
    const adminPassword = 'benchmark-password';
    const start = (name: string, args: readonly string[], env = {}): Promise<ManagedProcess> =>
      testbed.process({ name, command: process.execPath, args, env });
    const flags = {
      ...{ 'state-directory': state, listen: '127.0.0.1', 'api-port': api, 'cluster-port': cluster },
      ...{ 'abstractor-port': abstractor, 'key-port': key },
    };
    const root = await start(
      'root',
      [PROGRAM, 'root', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])],
      { OAKESTRA_ADMIN_PASSWORD: adminPassword, OAKESTRA_CONFIG: '' },
    );
    await root.waitForLine(/root is ready/, { timeoutMs: START_TIMEOUT_MS });
    const ca = await readFile(join(state, 'tls', 'ca.pem'), 'utf8');
    const client = (port = 0): HttpsClient => {
      const opened = openHttpsClient({ port, ca });
      testbed.defer('connections', () => opened.close());
      return opened;
    };
    let peakMib = 0;
    const sample = () => {
      if (root.isRunning()) peakMib = Math.max(peakMib, readMemory(root.pid).residentMib);
    };
    const timer = setInterval(sample, SAMPLE_EVERY_MS);
    testbed.defer('samples of the memory', () => clearInterval(timer));

    return {
      directory,
      api: client(api),
      adminPassword,
      async startBareServer(answer) {
        const [script, file] = [join(directory, 'bare-server.mjs'), join(directory, 'answer')];
        await writeFile(script, BARE_SERVER);
        await writeFile(file, answer);
        const server = await start('bare-server', [script, join(state, 'tls'), file, String(bare)]);
        await server.waitForLine(/listening/, { timeoutMs: START_TIMEOUT_MS });
        return client(bare);
      },
      peakMib() {
        sample();
        return peakMib;
      },
      async bareMib() {
        const idle = await start('bare-node', ['-e', 'setInterval(() => {}, 2 ** 30); console.log("idle")']);
        await idle.waitForLine(/idle/, { timeoutMs: START_TIMEOUT_MS });
        return readMemory(idle.pid).residentMib;
      },
      logs: () => testbed.logs(),
      close: () => testbed.close(),
    };
  } catch (error) {
    process.stderr.write(`${await testbed.logs()}\n`);
    await testbed.close();
    throw error;
  }
}

const BARE_SERVER = `
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
const [tls, file, port] = process.argv.slice(2);
const answer = readFileSync(file);
const options = { cert: readFileSync(tls + '/cert.pem'), key: readFileSync(tls + '/key.pem'), noDelay: true };
createServer(options, (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
`;
