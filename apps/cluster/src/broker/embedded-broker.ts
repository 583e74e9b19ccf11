import { createServer, type Server, type TLSSocket } from 'node:tls';
import { messageOf, OakestraError } from '@oakestra/contracts';
import { parseWorkerTopic, workerTopic, workerTopicPrefix } from '@oakestra/contracts/worker-wire';
import type { Logger } from '@oakestra/daemon';
import { type TlsIdentity, tlsServerOptions, verifiedPeer } from '@oakestra/pki';
import { Aedes, type Client } from 'aedes';
import type { Broker, BrokerEvents } from './broker.ts';

export interface EmbeddedBrokerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity;
  /** Who is registered, by the name of the certificate. */
  readonly workers: { byName(name: string): { readonly id: string } | undefined };
  readonly logger: Logger;
}

interface WorkerSession {
  readonly workerId: string;
  readonly client: Client;
  isSilent: boolean;
}

const CONTROL = 'control/';

/**
 * MQTT 3.1.1 in this process, with mutual TLS. A worker is who its certificate says it is: it publishes only below
 * `nodes/<own id>/`, never commands, and subscribes only to its own commands.
 */
export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { logger } = options;
  const sessions = new Map<string, WorkerSession>();
  let broker: Aedes | undefined;
  let server: Server | undefined;

  const sessionOf = (client: Client | null): WorkerSession | undefined => {
    for (const session of sessions.values()) if (session.client === client) return session;
    return undefined;
  };

  const workerIdOf = (client: Client): string | undefined => {
    const socket = client.conn as TLSSocket;
    const peer = verifiedPeer(socket);
    return peer?.role === 'worker' ? options.workers.byName(peer.name)?.id : undefined;
  };

  const refuse = (client: Client | null, what: string): Error => {
    logger.warn('a worker was refused on MQTT', {
      worker: sessionOf(client)?.workerId,
      client: client?.id,
      what,
    });
    return new Error(what);
  };

  const create = async (events: BrokerEvents): Promise<Aedes> => {
    const aedes = await Aedes.createBroker({
      concurrency: 1000,
      maxClientsIdLength: 256,
      queueLimit: 1000,
      authenticate(client, _username, _password, done) {
        const workerId = workerIdOf(client);
        const isOwnId =
          workerId !== undefined && (client.id === workerId || client.id.startsWith(`${workerId}-`));
        if (workerId === undefined || !isOwnId) {
          logger.warn('an MQTT client was refused: register first, and use the id given then', {
            client: client.id,
          });
          const error = Object.assign(new Error('not registered'), { returnCode: 5 });
          done(error, false);
          return;
        }
        sessions.get(workerId)?.client.close();
        sessions.set(workerId, { workerId, client, isSilent: false });
        done(null, true);
      },
      authorizePublish(client, packet, done) {
        const session = sessionOf(client);
        const own = session === undefined ? undefined : workerTopicPrefix(session.workerId);
        const isAllowed =
          own !== undefined &&
          packet.topic.startsWith(own) &&
          !packet.topic.startsWith(own + CONTROL) &&
          !packet.retain;
        done(isAllowed ? null : refuse(client, `may not publish on ${packet.topic}`));
      },
      authorizeSubscribe(client, subscription, done) {
        const session = sessionOf(client);
        const own = session === undefined ? undefined : workerTopicPrefix(session.workerId) + CONTROL;
        const isAllowed =
          own !== undefined && subscription.topic.startsWith(own) && !/[+#]/.test(subscription.topic);
        if (isAllowed) done(null, subscription);
        else done(refuse(client, `may not subscribe to ${subscription.topic}`));
      },
    });
    aedes.on('publish', (packet, client) => {
      const session = sessionOf(client);
      const parsed = session === undefined ? undefined : parseWorkerTopic(packet.topic);
      if (session === undefined || parsed === undefined) return;
      try {
        events.message(session.workerId, parsed.topic, packet.payload.toString());
      } catch (error) {
        // One bad message never affects anything but itself.
        logger.warn('a message of a worker was ignored', {
          worker: session.workerId,
          topic: parsed.topic,
          reason: messageOf(error),
        });
      }
    });
    aedes.on('ping', (_packet, client) => {
      const session = sessionOf(client);
      if (session !== undefined) events.heard(session.workerId);
    });
    aedes.on('keepaliveTimeout', (client) => {
      const session = sessionOf(client);
      if (session !== undefined) session.isSilent = true;
    });
    aedes.on('clientError', (client, error) => {
      logger.debug('MQTT client error', { worker: sessionOf(client)?.workerId, reason: messageOf(error) });
    });
    aedes.on('clientDisconnect', (client) => {
      const session = sessionOf(client);
      if (session === undefined) return;
      sessions.delete(session.workerId);
      events.gone(session.workerId, { kind: session.isSilent ? 'silent' : 'reset' });
    });
    return aedes;
  };

  return {
    async listen(events) {
      const aedes = await create(events);
      broker = aedes;
      server = createServer(tlsServerOptions(options.tls, { requireClientCertificate: true }), (socket) => {
        // Small messages that someone waits for: no Nagle.
        socket.setNoDelay(true);
        aedes.handle(socket);
      });
      server.on('tlsClientError', (error) =>
        logger.debug('TLS refused on MQTT', { reason: messageOf(error) }),
      );
      await listening(server, options);
    },

    publish(workerId, topic, payload) {
      if (!sessions.has(workerId)) return;
      broker?.publish(
        {
          cmd: 'publish',
          qos: 1,
          dup: false,
          retain: false,
          topic: workerTopic(workerId, topic),
          payload: Buffer.from(payload),
        },
        (error) => {
          if (error != null)
            logger.warn('a command was not published', { worker: workerId, reason: messageOf(error) });
        },
      );
    },

    drop(workerId) {
      for (const session of [...sessions.values()]) {
        if (workerId === undefined || session.workerId === workerId) session.client.close();
      }
    },

    connectedWorkers: () => sessions.size,

    async close() {
      server?.close();
      await new Promise<void>((resolve) => {
        if (broker === undefined) resolve();
        else broker.close(() => resolve());
      });
    },
  };
}

function listening(server: Server, { host, port }: EmbeddedBrokerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const text = `Cannot listen on ${host}:${port} for MQTT: ${error.message}. Stop what uses the port or set --mqtt-port`;
      reject(new OakestraError('unavailable', 'port-taken', text, { cause: error }));
    });
    server.listen(port, host, () => resolve());
  });
}
