import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { NetworkAnswer, NetworkCall } from './network-server.ts';

const execute = promisify(execFile);
const serverPath = fileURLToPath(new URL('./network-server.ts', import.meta.url));
/** Long enough for a loaded machine; an answer that does not come within it does not come. */
const ANSWER_MS = 2_000;

export type Protocol = 'tcp' | 'udp';

/** Runs a program in a network namespace and gives its output. */
export async function inside(namespace: string, ...command: string[]): Promise<string> {
  const { stdout } = await execute('nsenter', [`--net=/run/netns/${namespace}`, ...command]);
  return stdout;
}

/** A network that lives in another process, inside the network namespace of a test host. */
export interface RemoteNetwork {
  call(request: NetworkCall): Promise<NetworkAnswer>;
  /** As `kill -9` would. */
  kill(): void;
  readonly log: () => string;
}

export interface Sandbox {
  /** Namespace of the machine with the instances; 192.0.2.1. */
  readonly machine: string;
  /** Namespace of a machine beside it; 192.0.2.2, no route to instances. */
  readonly neighbour: string;
  /** For the names of the network under test, so that nothing else is touched. */
  readonly namePrefix: string;
  startNetwork(): RemoteNetwork;
  /** Answers every request on the port with `<label> <address of the client>`; resolves when it listens. */
  serve(
    namespace: string,
    options: { protocol: Protocol; port: number; label: string },
  ): Promise<ChildProcess>;
  close(): Promise<void>;
}

export async function createSandbox(): Promise<Sandbox> {
  const tag = process.pid.toString(36);
  const machine = `oakt-${tag}-machine`;
  const neighbour = `oakt-${tag}-neighbour`;
  const namePrefix = `oakt-${tag}`;
  const children = new Set<ChildProcess>();
  const start = (namespace: string, args: string[]): ChildProcess => {
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };

  for (const namespace of [machine, neighbour]) {
    await execute('ip', ['netns', 'add', namespace]);
    await execute('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  }
  const pair = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', neighbour];
  await execute('ip', ['-n', machine, 'link', 'add', 'eth0', ...pair]);
  for (const [namespace, address] of [
    [machine, '192.0.2.1/24'],
    [neighbour, '192.0.2.2/24'],
  ] as const) {
    await execute('ip', ['-n', namespace, 'address', 'add', address, 'dev', 'eth0']);
    await execute('ip', ['-n', namespace, 'link', 'set', 'eth0', 'up']);
  }

  return {
    machine,
    neighbour,
    namePrefix,
    startNetwork: () =>
      connectTo(start(machine, ['--import', 'tsx', serverPath, JSON.stringify({ namePrefix })])),
    async serve(namespace, { protocol, port, label }) {
      const child = start(namespace, ['-e', SERVERS[protocol], String(port), label]);
      const errors = collect(child);
      await new Promise<void>((resolve, reject) => {
        child.stdout?.once('data', () => resolve());
        child.once('close', () => reject(new Error(`the ${protocol} server ended: ${errors()}`)));
      });
      return child;
    },
    async close() {
      for (const child of children) child.kill('SIGKILL');
      const { stdout } = await execute('ip', ['netns', 'list']);
      const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
      for (const name of names) {
        if (name.startsWith(`oakt-${tag}-`)) await execute('ip', ['netns', 'del', name]);
      }
    },
  };
}

function collect(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}

function connectTo(child: ChildProcess): RemoteNetwork {
  const waiting = new Map<
    number,
    { resolve: (answer: NetworkAnswer) => void; reject: (why: Error) => void }
  >();
  const log = collect(child);
  let lastId = 0;
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the process has no pipes');
  stdin.on('error', () => {});
  createInterface({ input: stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as NetworkAnswer;
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
  });
  child.once('close', () => {
    for (const { reject } of waiting.values()) reject(new Error(`the network process ended: ${log()}`));
    waiting.clear();
  });
  return {
    call(request) {
      lastId += 1;
      const id = lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      });
    },
    kill: () => child.kill('SIGKILL'),
    log,
  };
}

const SERVERS: Readonly<Record<Protocol, string>> = {
  tcp: `const [port, label] = process.argv.slice(1);
    require('net').createServer((socket) => { socket.on('error', () => {}); socket.end(label + ' ' + socket.remoteAddress); })
      .listen(Number(port), '0.0.0.0', () => console.log('ready'));`,
  udp: `const [port, label] = process.argv.slice(1);
    const socket = require('dgram').createSocket('udp4');
    socket.on('message', (_, from) => socket.send(label + ' ' + from.address, from.port, from.address));
    socket.bind(Number(port), '0.0.0.0', () => console.log('ready'));`,
};

const CLIENTS: Readonly<Record<Protocol, string>> = {
  tcp: `const [host, port, ms] = process.argv.slice(1);
    const socket = require('net').connect(Number(port), host);
    let text = '';
    socket.setTimeout(Number(ms), () => { console.log('no answer'); process.exit(); });
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    socket.on('data', (chunk) => { text += chunk; });
    socket.on('end', () => { console.log(text); process.exit(); });`,
  udp: `const [host, port, ms] = process.argv.slice(1);
    const socket = require('dgram').createSocket('udp4');
    setTimeout(() => { console.log('no answer'); process.exit(); }, Number(ms));
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    socket.on('message', (text) => { console.log(String(text)); process.exit(); });
    socket.connect(Number(port), host, () => socket.send('hello'));`,
};

/** What a client in the namespace gets: the answer, the code of the failure, or `no answer`. */
export async function ask(
  namespace: string,
  protocol: Protocol,
  target: { readonly host: string; readonly port: number },
): Promise<string> {
  const args = ['-e', CLIENTS[protocol], target.host, String(target.port), String(ANSWER_MS)];
  return (await inside(namespace, process.execPath, ...args)).trim();
}
