import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';

/*
 * A cluster manager of the original for tests, written from the references alone (root-api 8 and 9, cluster-protocol 3, 7
 * and 8): nothing of it is shared with the root that it speaks to.
 */

export interface OriginalInstance {
  instance_number: number;
  status: unknown;
  [field: string]: unknown;
}

export interface OriginalJob {
  readonly document: { readonly [field: string]: unknown };
  status: unknown;
  instances: OriginalInstance[];
}

export interface ReceivedCall {
  readonly call: string;
  readonly body: { readonly [field: string]: unknown } | undefined;
}

/** What goes wrong with the next call: nothing is done; it is done and the answer lost. */
export type Mishap = 'not heard' | 'answer lost';

export interface OriginalCluster {
  readonly port: number;
  /** By id. */
  readonly jobs: Map<string, OriginalJob>;
  readonly calls: readonly ReceivedCall[];
  readonly mishaps: Mishap[];
  /** What reports say beside the jobs. */
  resources: Record<string, unknown>;
  /** Both calls of the handshake; resolves to the id. Rejects with the status that gRPC gives. */
  register(rootPort: number, name: string, location?: string): Promise<string>;
  /** One report; resolves to the answer. */
  report(rootPort: number, clusterId: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Reports again and again, as the original does every 15 s, until `pause`. */
  reportEvery(intervalMs: number, rootPort: number, clusterId: string): void;
  pause(): void;
  stop(): Promise<void>;
}

const GREETING = '/clusterRegistration.register_cluster/handle_init_greeting';
const REGISTRATION = '/clusterRegistration.register_cluster/handle_init_final';
const NETWORK_PORT = 10_110;

export const IDLE_RESOURCES = {
  ...{
    cpu_percent: 3.5,
    vcpus: 8,
    memory_percent: 40.1,
    memory: 16_000,
    vgpus: 0,
    vram: 0,
    vram_percent: 0.0,
  },
  ...{ gpu_percent: 0.0, gpu_temp: 0.0, gpu_drivers: null, virtualization: ['docker', 'docker'] },
  ...{ supported_addons: [], csi_drivers: ['csi.oakestra.io/hostpath'], active_nodes: 2 },
  cpu_history: [{ timestamp: 1_795_334_454.48, value: 3.5 }],
  memory_history: [{ timestamp: 1_795_334_454.48, value: 40.1 }],
  aggregation_per_architecture: {},
};

/** An instance record as its workers fill it (cluster-protocol 9.2). */
export function runningInstance(number: number, fields: Record<string, unknown> = {}): OriginalInstance {
  return {
    instance_number: number,
    ...{ status: 'RUNNING', status_detail: 'No extra information', worker_id: 'd'.repeat(24) },
    ...{ host_ip: '192.0.2.9', host_port: '3000', publicip: '192.0.2.9', logs: 'ready\n' },
    ...{ cpu_percent: '0.512000', memory_percent: '1048576.000000', disk: '4096' },
    last_modified_timestamp: 1_795_334_454.48,
    ...{ cpu_history: [], memory_history: [] },
    ...fields,
  };
}

/** Listens on a free port of this address. */
export async function startOriginalCluster(host = '127.0.0.1'): Promise<OriginalCluster> {
  const jobs = new Map<string, OriginalJob>();
  const calls: ReceivedCall[] = [];
  const mishaps: Mishap[] = [];
  let timer: NodeJS.Timeout | undefined;

  const listener: RequestListener = async (incoming, response) => {
    const text = await textOf(incoming);
    const mishap = mishaps.shift();
    if (mishap === 'not heard') return void incoming.socket.destroy();
    const body = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>);
    calls.push({ call: `${incoming.method} ${incoming.url}`, body });
    const isDone = obey(jobs, String(incoming.method), String(incoming.url), body);
    if (mishap === 'answer lost') return void incoming.socket.destroy();
    response.writeHead(isDone ? 200 : 500, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isDone ? { status: 'ok' } : { code: 500, status: 'Internal Server Error' }));
  };
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const urlHost = host.includes(':') ? `[${host}]` : host;

  const cluster: OriginalCluster = {
    ...{ port, jobs, calls, mishaps },
    resources: IDLE_RESOURCES,

    async register(rootPort, name, location = '48.1,11.6,1000') {
      const client = new Client(`${urlHost}:${rootPort}`, credentials.createInsecure());
      try {
        const hello = JSON.stringify({ cluster_name: name, location });
        await unary(client, GREETING, textField(1, hello));
        const answer = await unary(
          client,
          REGISTRATION,
          Buffer.concat([
            numberField(1, port),
            numberField(2, NETWORK_PORT),
            textField(3, name),
            // Exactly one, and empty.
            Buffer.from([0x22, 0]),
            textField(5, location),
          ]),
        );
        return readText(answer);
      } finally {
        client.close();
      }
    },

    report(rootPort, clusterId) {
      const body = JSON.stringify({
        ...cluster.resources,
        // It may say where it is; nobody shall believe it.
        ip: '203.0.113.1',
        jobs: [...jobs].map(([id, { document, status, instances }]) => ({
          ...{ _id: id, job_name: document.job_name, status },
          instance_list: instances,
        })),
      });
      return post(`http://${urlHost}:${rootPort}/api/information/${clusterId}`, body);
    },

    reportEvery(intervalMs, rootPort, clusterId) {
      cluster.pause();
      const tick = () => void cluster.report(rootPort, clusterId).catch(() => {});
      timer = setInterval(tick, intervalMs);
      tick();
    },

    pause() {
      clearInterval(timer);
    },

    async stop() {
      cluster.pause();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return cluster;
}

/** Cluster-protocol 3.3 and 3.4; false: 500. */
function obey(
  jobs: Map<string, OriginalJob>,
  method: string,
  url: string,
  body: Record<string, unknown> | undefined,
): boolean {
  const [, pathId = '', numberText = ''] = /^\/api\/service\/([^/]+)\/(-?\d+)$/.exec(url) ?? [];
  const number = Number(numberText);
  if (method === 'DELETE') {
    const job = jobs.get(pathId);
    if (job === undefined) return false;
    job.instances = job.instances.filter((instance) => number !== -1 && instance.instance_number !== number);
    if (job.instances.length === 0) jobs.delete(pathId);
    return true;
  }
  // The id in the body counts, the number in the path.
  const id = String(body?._id);
  const list = body?.instance_list;
  if (method !== 'POST' || body === undefined || !Array.isArray(list)) return false;
  const job = jobs.get(id) ?? { document: body, status: body.status, instances: [] };
  if (job.instances.some((instance) => instance.instance_number === number)) return false;
  job.instances.push({ ...(list.at(-1) as OriginalInstance), instance_number: number });
  jobs.set(id, job);
  return true;
}

function unary(client: Client, path: string, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pass = (bytes: Buffer) => bytes;
    client.makeUnaryRequest(path, pass, pass, message, { deadline: Date.now() + 5000 }, (error, answer) =>
      error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
    );
  });
}

/** Protobuf by hand: a field of the type int32, of positive value. */
function numberField(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

function textField(field: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** The first field, a short text. */
function readText(message: Buffer): string {
  return message.subarray(2, 2 + (message[1] ?? 0)).toString();
}

function post(url: string, body: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request(url, { method: 'POST', headers, agent: false }, async (response) =>
      resolve({ status: response.statusCode ?? 0, body: await textOf(response) }),
    );
    call.on('error', reject);
    call.end(body);
  });
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += String(chunk);
  return text;
}
