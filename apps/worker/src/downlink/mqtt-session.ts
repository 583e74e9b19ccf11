import { messageOf } from '@oakestra/contracts';
import { type TlsIdentity, tlsClientOptions } from '@oakestra/pki';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import mqttPacket from 'mqtt-packet';

export interface MqttSessionOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity;
  readonly clientId: string;
  readonly topics: readonly string[];
  readonly keepaliveSeconds: number;
  readonly nowMs: () => number;
  /** Gives up connecting. An open session is ended with `end`. */
  readonly signal: AbortSignal;
  onMessage(topic: string, payload: string): void;
  /** The broker answered a ping that was sent at this monotonic time. */
  onContact(sentAtMs: number): void;
  onDown(reason: string): void;
}

/** One MQTT connection: it is opened once and never reopened; whoever wants another one makes another one. */
export interface MqttSession {
  /** QoS 1; what is not acknowledged when the session ends is lost, and repaired by the digests. */
  publish(topic: string, payload: string): void;
  /** Publishes, waits a second at most for the acknowledgement, and disconnects; `onDown` is called then, too. */
  end(last?: { readonly topic: string; readonly payload: string }): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 1000;

// By default a table of 65,536 buffers is made at the first packet: 12 MiB for nothing (libraries 3.3).
(mqttPacket as unknown as { writeToStream: { cacheNumbers: boolean } }).writeToStream.cacheNumbers = false;

/** Connects and subscribes. Rejects when that fails. */
export function openMqttSession(options: MqttSessionOptions): Promise<MqttSession> {
  const { host, port, nowMs, signal } = options;
  const { minVersion: _, ...tls } = tlsClientOptions(options.tls, { serverRole: 'cluster' });
  const client: MqttClient = connect({
    ...(tls as unknown as IClientOptions),
    protocol: 'mqtts',
    host,
    port,
    clientId: options.clientId,
    clean: true,
    keepalive: options.keepaliveSeconds,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    resubscribe: false,
    queueQoSZero: false,
    reschedulePings: false,
  });

  return new Promise((resolve, reject) => {
    let isUp = false;
    let isOver = false;
    let lastError = 'the connection was closed';
    let pingSentAtMs: number | undefined;

    const giveUp = (): void => over('connecting was given up');
    const over = (reason: string): void => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener('abort', giveUp);
      client.end(true);
      if (isUp) options.onDown(reason);
      else reject(new Error(`MQTT at ${host}:${port}: ${reason}`));
    };

    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    client.on('error', (error) => {
      lastError = messageOf(error);
      over(lastError);
    });
    client.on('close', () => over(lastError));
    client.on('packetsend', (packet) => {
      if (packet.cmd === 'pingreq') pingSentAtMs = nowMs();
    });
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'pingresp' || pingSentAtMs === undefined) return;
      options.onContact(pingSentAtMs);
      pingSentAtMs = undefined;
    });
    client.on('message', (topic, payload) => options.onMessage(topic, payload.toString('utf8')));
    client.on('connect', () => {
      const connectedAtMs = nowMs();
      (client.stream as { setNoDelay?: (on: boolean) => void }).setNoDelay?.(true);
      client.subscribe([...options.topics], { qos: 1 }, (error, granted) => {
        if (error != null) {
          over(messageOf(error));
          return;
        }
        const refused = granted?.find((grant) => grant.qos > 2);
        if (refused !== undefined) {
          over(`the broker refused the subscription to ${refused.topic}`);
          return;
        }
        if (isOver) return;
        isUp = true;
        signal.removeEventListener('abort', giveUp);
        options.onContact(connectedAtMs);
        resolve({
          publish(topic, payload) {
            if (!isOver) client.publish(topic, payload, { qos: 1 });
          },
          async end(last) {
            if (isOver) return;
            if (last !== undefined) await published(client, last);
            // What else waits for an acknowledgement is not waited for: the broker may be gone.
            over('ended by this side');
          },
        });
      });
    });
  });
}

function published(
  client: MqttClient,
  last: { readonly topic: string; readonly payload: string },
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, END_TIMEOUT_MS);
    client.publish(last.topic, last.payload, { qos: 1 }, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
