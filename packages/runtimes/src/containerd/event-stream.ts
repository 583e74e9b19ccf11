import { randomUUID } from 'node:crypto';
import { messageOf, OakestraError } from '@oakestra/contracts';
import { type Clock, type Logger, sleep } from '@oakestra/daemon';
import type { ContainerdConnection } from './containerd-connection.ts';
import { type Envelope, EventsDefinition } from './gen/containerd/events.gen.ts';
import { TaskExit, TaskOOM } from './gen/containerd/task-events.gen.ts';

export interface EventStreamOptions {
  readonly connection: ContainerdConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onExit: (exit: TaskExit) => void;
  readonly onOutOfMemory: (containerId: string) => void;
  /** The subscription stands: what happens from here on is reported. */
  readonly onAvailable: () => void;
  readonly onUnavailable: (reason: string) => void;
}

/** The events of our namespace, for as long as it is not stopped. */
export interface EventStream {
  start(): void;
  stop(): Promise<void>;
}

const exitTopic = '/tasks/exit';
const outOfMemoryTopic = '/tasks/oom';
const shortestPauseMs = 100;
const longestPauseMs = 5_000;
const probePauseMs = 100;
/** A subscription that does not deliver our own event by then is opened again. */
const probePatienceMs = 10_000;

export function createEventStream(options: EventStreamOptions): EventStream {
  let running: { readonly controller: AbortController; readonly done: Promise<void> } | undefined;
  return {
    start() {
      if (running !== undefined) return;
      const controller = new AbortController();
      running = { controller, done: follow(options, controller.signal) };
    },
    async stop() {
      const stopping = running;
      running = undefined;
      stopping?.controller.abort(new Error('no longer subscribed'));
      await stopping?.done;
    },
  };
}

async function follow(options: EventStreamOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, connection } = options;
  let pauseMs = shortestPauseMs;
  let isReportedDown = false;
  while (!signal.aborted) {
    const reason = await followOnce(options, signal, () => {
      pauseMs = shortestPauseMs;
      isReportedDown = false;
      options.onAvailable();
    });
    if (signal.aborted) return;
    if (!isReportedDown) {
      isReportedDown = true;
      logger.warn('No events from containerd', { socketPath: connection.socketPath, reason });
      options.onUnavailable(reason);
    }
    await sleep(clock, pauseMs, signal).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** One subscription until it ends; answers why it did. */
async function followOnce(
  options: EventStreamOptions,
  stopped: AbortSignal,
  onEstablished: () => void,
): Promise<string> {
  const { connection } = options;
  const probeTopic = `/oakestra/probe-${randomUUID()}`;
  const ended = new AbortController();
  const signal = AbortSignal.any([stopped, ended.signal]);
  let isEstablished = false;
  try {
    const filters = [exitTopic, outOfMemoryTopic, probeTopic].map(
      (topic) => `namespace=="${connection.namespace}",topic=="${topic}"`,
    );
    const envelopes = connection.serverStream(EventsDefinition, 'subscribe', { filters }, { signal });
    // containerd does not say when a subscription begins; an event of our own that comes back does.
    const probing = probe(options, { topic: probeTopic, signal, isEstablished: () => isEstablished });
    probing.catch((error: unknown) => ended.abort(error));
    for await (const envelope of envelopes) {
      if (envelope.topic !== probeTopic) {
        report(envelope, options);
      } else if (!isEstablished) {
        isEstablished = true;
        onEstablished();
      }
    }
    return 'the subscription ended';
  } catch (error) {
    return messageOf(error);
  } finally {
    ended.abort(new Error('the subscription ended'));
  }
}

async function probe(
  { connection, clock }: EventStreamOptions,
  about: { readonly topic: string; readonly signal: AbortSignal; readonly isEstablished: () => boolean },
): Promise<void> {
  const event = { typeUrl: 'google.protobuf.Empty', value: new Uint8Array() };
  const giveUpAtMs = clock.monotonicMs() + probePatienceMs;
  while (!about.isEstablished() && !about.signal.aborted) {
    if (clock.monotonicMs() > giveUpAtMs) {
      throw new OakestraError('timeout', 'runtime-timeout', 'containerd delivers no events');
    }
    await connection.unary(
      EventsDefinition,
      'publish',
      { topic: about.topic, event },
      { signal: about.signal },
    );
    await sleep(clock, probePauseMs, about.signal);
  }
}

function report(envelope: Envelope, options: EventStreamOptions): void {
  const payload = envelope.event?.value;
  if (payload === undefined) return;
  if (envelope.topic === outOfMemoryTopic) {
    options.onOutOfMemory(TaskOOM.decode(payload).containerId);
  } else if (envelope.topic === exitTopic) {
    const exit = TaskExit.decode(payload);
    // Other processes of the container end unnoticed.
    if (exit.id === exit.containerId) options.onExit(exit);
  }
}
