import {
  commandSchema,
  greetingSchema,
  type Labels,
  type MemberFacts,
  reportSchema,
  type TierCommand,
} from '@oakestra/contracts';
import {
  encodeDeploy,
  encodeRemove,
  presenceSchema,
  type WorkerTopic,
} from '@oakestra/contracts/worker-wire';
import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';
import type { Broker, BrokerEvents } from '../broker/index.ts';
import type { InstanceEngine } from '../instances/index.ts';
import { aggregateFacts, differsNotably } from './aggregate.ts';

export interface WorkerSessionsOptions {
  readonly broker: Broker;
  readonly engine: () => InstanceEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Usage figures of instances, to be passed on upwards. */
  readonly onUsage: (report: Extract<ReturnType<typeof reportSchema.parse>, { type: 'usage' }>) => void;
  /** What all workers together offer has changed. */
  readonly onFacts: (facts: MemberFacts) => void;
  /** Labels of this cluster, of its settings. */
  readonly labels: Labels;
  /** Those that hold for a worker. */
  readonly labelsOf: (workerId: string) => Labels;
  /** Something of this worker has changed that people see. */
  readonly onWorker: (workerId: string) => void;
}

/** Translates between the workers' topics and the instance engine, and keeps who is there. */
export interface WorkerSessions {
  readonly events: BrokerEvents;
  send(workerId: string, command: TierCommand): void;
  facts(): MemberFacts;
  /** Other labels hold for a worker from now on. */
  labelsChanged(workerId: string): void;
  stop(): void;
}

const FACTS_INTERVAL_MS = 1000;

export function createWorkerSessions(options: WorkerSessionsOptions): WorkerSessions {
  const { broker, clock, logger } = options;
  const restartingUntilMs = new Map<string, number>();
  let told: MemberFacts | undefined;
  let cancelFacts: CancelTimer | undefined;

  const facts = (): MemberFacts => ({
    ...aggregateFacts(
      options
        .engine()
        .members()
        .flatMap((member) => (member.isUp && member.facts !== undefined ? [member.facts] : [])),
    ),
    labels: { ...options.labels },
  });

  const tellFacts = (): void => {
    cancelFacts = undefined;
    const now = facts();
    if (!differsNotably(told, now)) return;
    told = now;
    options.onFacts(now);
  };

  const factsChanged = (workerId: string): void => {
    options.onWorker(workerId);
    cancelFacts ??= clock.setTimer(told === undefined ? 0 : FACTS_INTERVAL_MS, tellFacts);
  };

  const receive = (workerId: string, topic: WorkerTopic, payload: string): void => {
    const engine = options.engine();
    switch (topic) {
      case 'greeting': {
        restartingUntilMs.delete(workerId);
        engine.workerUp(workerId, greetingSchema.parse(JSON.parse(payload)));
        logger.info('worker connected', { worker: workerId });
        factsChanged(workerId);
        return;
      }
      case 'presence': {
        const { graceMs } = presenceSchema.parse(JSON.parse(payload));
        restartingUntilMs.set(workerId, clock.monotonicMs() + graceMs);
        return;
      }
      case 'report': {
        const report = reportSchema.parse(JSON.parse(payload));
        logger.debug('message received', { worker: workerId, type: report.type });
        if (report.type === 'facts') {
          engine.workerReport(workerId, { ...report, labels: { ...options.labelsOf(workerId) } });
          factsChanged(workerId);
          return;
        }
        engine.workerReport(workerId, report);
        if (report.type === 'usage') options.onUsage(report);
        return;
      }
      default:
        logger.debug('a topic of the compatible contract is not read from our own workers', { topic });
    }
  };

  return {
    events: {
      message: receive,
      heard: (workerId) => options.engine().workerHeard(workerId),
      gone(workerId, reason) {
        const graceMs = (restartingUntilMs.get(workerId) ?? 0) - clock.monotonicMs();
        restartingUntilMs.delete(workerId);
        const told = graceMs > 0 ? { kind: 'restarting' as const, graceMs } : reason;
        logger.warn('worker disconnected', { worker: workerId, reason: told.kind });
        options.engine().workerDown(workerId, told);
        factsChanged(workerId);
      },
    },

    send(workerId, command) {
      const { topic, payload } = encode(command, options.engine());
      logger.debug('command sent', { worker: workerId, type: command.type });
      broker.publish(workerId, topic, payload);
    },

    facts,
    labelsChanged(workerId) {
      const engine = options.engine();
      const known = engine.member(workerId)?.facts;
      if (known !== undefined) {
        engine.workerReport(workerId, { ...known, labels: { ...options.labelsOf(workerId) } });
      }
      options.onWorker(workerId);
    },
    stop() {
      cancelFacts?.();
    },
  };
}

function encode(command: TierCommand, engine: InstanceEngine): { topic: WorkerTopic; payload: string } {
  if (command.type === 'deploy') return { topic: 'deploy', payload: encodeDeploy(command) };
  if (command.type === 'remove') {
    const document = engine.record(command.key)?.document;
    if (document !== undefined) return { topic: 'remove', payload: encodeRemove(command, document) };
  }
  return { topic: 'tier', payload: JSON.stringify(commandSchema.parse(command)) };
}
