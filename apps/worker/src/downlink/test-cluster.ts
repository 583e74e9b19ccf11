import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { TIER_CAPABILITY } from '@oakestra/contracts/worker-wire';
import { type TlsIdentity, tlsServerOptions } from '@oakestra/pki';
import { Aedes } from 'aedes';

export interface PublishedMessage {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly body: unknown;
}

/** The cluster's side of the wire in a test: registration over HTTPS and an MQTT broker, both with mutual TLS. */
export interface TestCluster {
  readonly apiPort: number;
  /** Bodies of the registrations, oldest first. */
  readonly registrations: Record<string, unknown>[];
  readonly messages: PublishedMessage[];
  /** Ids of the clients that are connected. */
  clients(): readonly string[];
  subscriptions(): readonly string[];
  /** Publishes to the worker; resolves when the broker has it. */
  command(topic: string, payload: string): Promise<void>;
  /** How the registration is answered from now on. */
  answerWith(answer: { readonly status: number; readonly body: string }): void;
  /** Neither reads nor answers any more, without closing a connection. */
  freeze(): void;
  cutAll(): void;
  close(): Promise<void>;
}

export const WORKER_ID = 'd'.repeat(24);

export async function startTestCluster(tls: TlsIdentity): Promise<TestCluster> {
  const registrations: Record<string, unknown>[] = [];
  const messages: PublishedMessage[] = [];
  const sockets = new Set<TLSSocket>();
  const broker = await Aedes.createBroker();
  broker.on('publish', ({ topic, qos, retain, payload }, client) => {
    if (client !== null) messages.push({ topic, qos, retain, body: JSON.parse(payload.toString()) });
  });
  const options = tlsServerOptions(tls, { requireClientCertificate: true });
  const mqtt: TlsServer = createTlsServer(options, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  const mqttPort = await listening(mqtt);
  let answer = {
    status: 200,
    body: JSON.stringify({
      id: WORKER_ID,
      MQTT_BROKER_PORT: String(mqttPort),
      capabilities: [TIER_CAPABILITY],
      somethingNew: 1,
    }),
  };
  const api: HttpsServer = createHttpsServer(options, (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      registrations.push(JSON.parse(text) as Record<string, unknown>);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    });
  });
  const apiPort = await listening(api);

  return {
    apiPort,
    registrations,
    messages,
    clients: () => Object.keys(clientsOf(broker)),
    subscriptions: () =>
      Object.values(clientsOf(broker)).flatMap((client) => Object.keys(client.subscriptions)),
    command: (topic, payload) =>
      new Promise((resolve, reject) => {
        broker.publish(
          { cmd: 'publish', qos: 1, dup: false, retain: false, topic, payload: Buffer.from(payload) },
          (error) => (error == null ? resolve() : reject(error)),
        );
      }),
    answerWith(next) {
      answer = next;
    },
    freeze() {
      for (const socket of sockets) {
        socket.removeAllListeners('readable');
        socket.pause();
        socket.write = () => true;
      }
    },
    cutAll() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      api.closeAllConnections();
      await Promise.all([api, mqtt].map((server) => new Promise((resolve) => server.close(resolve))));
      await new Promise<void>((resolve) => broker.close(resolve));
    },
  };
}

/** Aedes knows its clients, but does not say so in its types. */
function clientsOf(broker: Aedes): Record<string, { readonly subscriptions: Record<string, unknown> }> {
  return (broker as unknown as { clients: ReturnType<typeof clientsOf> }).clients;
}

function listening(server: HttpsServer | TlsServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
