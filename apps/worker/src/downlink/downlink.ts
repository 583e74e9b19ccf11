import {
  commandSchema,
  type Greeting,
  messageOf,
  OakestraError,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import { decodeDeploy, decodeRemove, TIER_CAPABILITY, workerTopic } from '@oakestra/contracts/worker-wire';
import { backoffDelayMs, type Clock, type Logger, type Random, sleep } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { type MqttSession, openMqttSession } from './mqtt-session.ts';
import { registerAtCluster } from './register.ts';

export interface DownlinkOptions {
  readonly host: string;
  readonly apiPort: number;
  readonly tls: TlsIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly keepaliveSeconds: number;
  readonly restartGraceMs: number;
  /** The complete registration (node-engine 6), read afresh each time. */
  readonly registration: () => Promise<Readonly<Record<string, unknown>>>;
  readonly greeting: () => Greeting;
  onRegistered(workerId: string): void;
  onUp(): void;
  onDown(): void;
  onCommand(command: TierCommand): void;
  onContact(sentAtMs: number): void;
}

/** The connection to the cluster: registers, opens an MQTT session, and does both again when it ends. */
export interface Downlink {
  start(): void;
  send(report: TierReport): void;
  isConnected(): boolean;
  /** Announces a restart, so that nothing is moved, and disconnects, after a second at the latest. Idempotent. */
  stop(): Promise<void>;
}

const BACKOFF = { baseMs: 200, capMs: 5000 };

export function createDownlink(options: DownlinkOptions): Downlink {
  const { clock, random, logger } = options;
  const stopping = new AbortController();
  let session: MqttSession | undefined;
  let workerId = '';
  let running: Promise<void> = Promise.resolve();

  const receive = (topic: string, payload: string): void => {
    logger.debug('command received', { type: topic.slice(topic.lastIndexOf('/') + 1) });
    try {
      if (topic === workerTopic(workerId, 'deploy')) options.onCommand(decodeDeploy(payload));
      else if (topic === workerTopic(workerId, 'remove')) options.onCommand(decodeRemove(payload));
      else options.onCommand(commandSchema.parse(JSON.parse(payload)));
    } catch (error) {
      logger.warn('a command of the cluster was ignored', { topic, reason: messageOf(error) });
    }
  };

  /** Resolves when the session that was opened has ended. */
  const connectOnce = async (): Promise<void> => {
    const answer = await registerAtCluster({
      host: options.host,
      port: options.apiPort,
      tls: options.tls,
      body: { ...(await options.registration()), capabilities: [TIER_CAPABILITY] },
      signal: stopping.signal,
    });
    if (!answer.capabilities?.includes(TIER_CAPABILITY)) {
      const text = `the cluster does not offer "${TIER_CAPABILITY}", which this worker needs: upgrade the cluster`;
      throw new OakestraError('unsupported', 'cluster-too-old', text);
    }
    workerId = answer.id;
    options.onRegistered(workerId);
    let down: (reason: string) => void = () => {};
    const ended = new Promise<string>((resolve) => {
      down = resolve;
    });
    const opened = await openMqttSession({
      host: options.host,
      port: Number(answer.MQTT_BROKER_PORT),
      tls: options.tls,
      clientId: `${workerId}-ne`,
      topics: (['deploy', 'remove', 'tier'] as const).map((topic) => workerTopic(workerId, topic)),
      keepaliveSeconds: options.keepaliveSeconds,
      nowMs: clock.monotonicMs,
      signal: stopping.signal,
      onMessage: receive,
      onContact: options.onContact,
      onDown: down,
    });
    if (stopping.signal.aborted) {
      await opened.end();
      return;
    }
    session = opened;
    opened.publish(workerTopic(workerId, 'greeting'), JSON.stringify(options.greeting()));
    logger.info('connected to the cluster', { worker: workerId });
    options.onUp();
    const reason = await ended;
    session = undefined;
    options.onDown();
    if (!stopping.signal.aborted) logger.warn('the connection to the cluster ended', { reason });
  };

  const run = async (): Promise<void> => {
    let attempt = 0;
    while (!stopping.signal.aborted) {
      const startedMs = clock.monotonicMs();
      try {
        await connectOnce();
        attempt = 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        // Being offline is a state, not an error: said once, not at each try.
        const log = attempt === 0 ? logger.warn : logger.debug;
        log.call(logger, 'cannot reach the cluster, trying on', { reason: messageOf(error) });
      }
      if (clock.monotonicMs() - startedMs > BACKOFF.capMs) attempt = 0;
      const delayMs = backoffDelayMs({ attempt, ...BACKOFF }, random);
      attempt += 1;
      await sleep(clock, delayMs, stopping.signal).catch(() => undefined);
    }
  };

  return {
    start() {
      running = run();
    },
    send(report) {
      logger.debug('message sent', { type: report.type });
      session?.publish(workerTopic(workerId, 'report'), JSON.stringify(report));
    },
    isConnected: () => session !== undefined,
    async stop() {
      if (!stopping.signal.aborted) {
        stopping.abort(new Error('the worker stops'));
        const presence = JSON.stringify({ state: 'restarting', graceMs: options.restartGraceMs });
        await session?.end({ topic: workerTopic(workerId, 'presence'), payload: presence });
      }
      await running;
    },
  };
}
