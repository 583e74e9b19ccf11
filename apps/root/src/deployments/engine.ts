import {
  type Epoch,
  type Greeting,
  type InstanceKey,
  type Labels,
  messageOf,
  OakestraError,
  type ServiceDocument,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import { type Clock, createRebuildable, type Logger, type Random, randomHex } from '@oakestra/daemon';
import { type Availability, createPump, type DownReason, type Notice, type Pump } from '@oakestra/ownership';
import { firstFit } from '@oakestra/scheduling';
import { probeStore, type Store } from '@oakestra/store';
import { createChangeFeed } from './change-feed.ts';
import { createRootCore, type RootCore, type RootEffects } from './core.ts';
import type { DeploymentEvent, Deployments, ServiceView } from './deployments.ts';
import { createInstanceIndex, type InstanceIndex } from './instance-index.ts';
import { loadState, statementsOf } from './persistence.ts';
import type { DeploymentsSchema } from './schema.ts';
import type { ServiceRecord } from './service-record.ts';
import { createUsageBook } from './usage-book.ts';
import { instanceView, serviceView } from './views.ts';

export interface DeploymentEngineOptions {
  readonly store: Store<DeploymentsSchema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ids of the clusters that are registered now. */
  readonly clusters: () => readonly string[];
  /** Sends a command to a cluster; false: its link is not there. */
  readonly send: (clusterId: string, command: TierCommand) => boolean;
  /** The state was read again from the store: all links must be opened anew. */
  readonly dropLinks: () => void;
  /** The document that a new instance of a service gets; default: that of the service. */
  readonly labelsOf?: (clusterId: string) => Labels;
  readonly documentFor?: (service: ServiceRecord) => ServiceDocument;
  /** Are the values known that the document refers to? Default: yes. */
  readonly hasValues?: (document: ServiceDocument) => boolean;
  /** Told of everything that happens to services and instances. */
  readonly onEvent?: (event: DeploymentEvent) => void;
  /** A service was learned from below. */
  readonly onAdopted: (service: ServiceRecord) => void;
}

/** The running form of the core: state in memory, intents on disk before anyone hears of them. */
export interface DeploymentEngine extends Deployments {
  /** Resolves when it is on disk. Rejects `cluster-not-empty` and `cluster-not-cleared`. */
  setClusterAvailability(
    id: string,
    availability: Availability,
    options: { readonly isForced: boolean },
  ): Promise<void>;
  clusterUp(id: string, greeting: Greeting): void;
  clusterDown(id: string, reason: DownReason): void;
  /** Labels of clusters were set: global services may go to others. */
  clusterLabelsChanged(): void;
  clusterHeard(id: string): void;
  clusterReport(id: string, report: TierReport): void;
  selfLate(lateMs: number): void;
  clusterState(id: string): ReturnType<RootCore['arbiter']['memberState']>;
  /** As which placement a cluster was last given an instance that it has yet to give back; undefined: it was not. */
  heldEpoch(clusterId: string, key: InstanceKey): Epoch | undefined;
  /** Is this instance on record, be it wanted or to be removed? */
  isKnown(key: InstanceKey): boolean;
  /** Our store lacks what happened last: nothing is concluded from what it does not know. */
  isLearning(): boolean;
  /** Identity of the store for greetings. */
  incarnation(): string;
  /** Whoever still waits for a change is told that it may or may not have been stored. */
  stop(): void;
}

/** From one reading of the store to the next. */
interface Life {
  readonly core: RootCore;
  readonly pump: Pump;
  readonly index: InstanceIndex;
}

export async function startDeployments(options: DeploymentEngineOptions): Promise<DeploymentEngine> {
  const { store, clock, random, logger } = options;
  const usage = createUsageBook();
  const feed = createChangeFeed();
  const waiting = new Set<(error: OakestraError) => void>();

  /** What one effect does wrong must not keep the others from being done. */
  const attempt = (failure: string, fields: Record<string, unknown>, action: () => void): void => {
    try {
      action();
    } catch (error) {
      logger.error(failure, { ...fields, reason: messageOf(error) });
    }
  };

  const notice = (life: Life, event: Notice): void => {
    switch (event.kind) {
      case 'changed':
        if (life.core.arbiter.record(event.key) !== undefined) life.index.add(event.key);
        break;
      case 'removed':
        life.index.remove(event.key);
        usage.forget(event.key);
        logger.info('instance removed', { instance: event.key });
        break;
      case 'store-restored':
        logger.warn('this store is older than what clusters have seen: learning from them first', {
          ...event,
        });
        break;
      case 'loss-doubted':
        logger.error('many clusters fell silent at once: nothing is moved for a while', { ...event });
        break;
      default:
        logger.info(`instance ${event.kind}`, { ...event });
    }
  };

  const deliver = (life: Life, effects: RootEffects): void => {
    for (const event of feed.eventsOf(life.core, effects)) {
      attempt('an event was not passed on', { kind: event.kind }, () => options.onEvent?.(event));
    }
    for (const event of effects.notices) notice(life, event);
    for (const service of effects.adoptedServices) {
      attempt('an adopted service was not passed on', { service: service.id }, () =>
        options.onAdopted(service),
      );
    }
    for (const { member, message } of effects.sends) {
      attempt('a command could not be sent', { cluster: member, type: message.type }, () => {
        options.send(member, message);
      });
    }
  };

  const build = async (fail: (error: Error) => void): Promise<Life> => {
    const core = createRootCore({
      stored: await loadState(store, options.clusters()),
      schedule: (request) =>
        firstFit(request, {
          member: 'cluster',
          nobodyThere: 'TargetClusterNotActive',
          noCapacity: 'NoActiveClusterWithCapacity',
        }),
      nowMs: clock.monotonicMs,
      wallMs: clock.nowMs,
      mintIncarnation: () => randomHex(random, 16),
      ...(options.labelsOf === undefined ? {} : { labelsOf: options.labelsOf }),
      ...(options.hasValues === undefined ? {} : { hasValues: options.hasValues }),
      ...(options.documentFor === undefined ? {} : { documentFor: options.documentFor }),
    });
    feed.assume(core.services(), core.arbiter.records());
    const pump = createPump<RootEffects>({
      core,
      nowMs: clock.monotonicMs,
      setTimer: clock.setTimer,
      durabilityOf: (effects) =>
        effects.writes.size > 0 ||
        effects.serviceWrites.size > 0 ||
        effects.marks.size > 0 ||
        effects.counter !== undefined
          ? effects.durability
          : 'none',
      commit: (effects, done) => {
        store.commit(statementsOf(store, effects), { durability: effects.durability }).then(
          () => done(),
          (error: Error) => done(error),
        );
      },
      deliver: (effects) => deliver(life, effects),
      onCommitFailed: fail,
    });
    const life: Life = {
      core,
      pump,
      index: createInstanceIndex(Array.from(core.arbiter.records(), ({ key }) => key)),
    };
    return life;
  };

  const wakeUp = ({ core, pump }: Life): void => pump.run(() => core.tick());

  const lives = await createRebuildable<Life>({
    build,
    probe: () => probeStore(store, clock.nowMs()),
    onFailed(error) {
      logger.error('the store refused a write; going back to what it has', { error });
      options.dropLinks();
    },
    onRebuilt(life) {
      // Links that opened meanwhile greeted a core that is gone.
      options.dropLinks();
      wakeUp(life);
      logger.info('the store answers again');
    },
    discard: ({ pump }) => pump.stop(),
    clock,
    random,
  });
  wakeUp(lives.current());

  const coreNow = (): RootCore => lives.current().core;
  const run = (event: (core: RootCore) => void): void => {
    const { core, pump } = lives.current();
    pump.run(() => event(core));
  };

  /** Runs a change; resolves when it is on disk. What the change throws is thrown. */
  const ask = <T>(change: (core: RootCore) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const { core, pump } = lives.current();
      let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
      waiting.add(reject);
      pump.run(
        () => {
          try {
            outcome = { value: change(core) };
          } catch (error) {
            outcome = { error };
          }
        },
        (error) => {
          waiting.delete(reject);
          if (error !== undefined || outcome === undefined) reject(notStored(lives.failure() ?? error));
          else if ('error' in outcome) reject(outcome.error);
          else resolve(outcome.value);
        },
      );
    });

  const viewOf = (service: ServiceRecord): ServiceView => {
    const { core, index } = lives.current();
    const present = options.documentFor?.(service) ?? service.document;
    const instances = [];
    for (const key of index.of(service.id)) {
      const record = core.arbiter.record(key);
      if (record === undefined || record.wanted === 'removed') continue;
      instances.push(instanceView(record, usage.of(key), present));
    }
    return serviceView(
      service,
      instances.sort((a, b) => a.number - b.number),
    );
  };

  const viewOfKnown = (service: ServiceRecord | undefined): ServiceView | undefined =>
    service === undefined ? undefined : viewOf(service);

  /** A cluster speaks for the instances that were given to it. */
  const isHeldBy = (clusterId: string, key: InstanceKey): boolean =>
    coreNow()
      .arbiter.record(key)
      ?.placements.some(({ member }) => member === clusterId) ?? false;

  return {
    registerService: (service) => ask((core) => core.registerService(service)),
    updateService: (serviceId, document, settings) =>
      ask((core) => core.updateService(serviceId, document, settings)),
    removeService: (serviceId) => ask((core) => core.removeService(serviceId)),
    service: (serviceId) => viewOfKnown(coreNow().service(serviceId)),
    serviceByJobName: (jobName) => viewOfKnown(coreNow().serviceByJobName(jobName)),
    services: () => Array.from(coreNow().services(), viewOf),
    requestInstance: (serviceId) => ask((core) => ({ number: core.requestInstance(serviceId) })),
    requestInstanceAt: (serviceId, clusterId) =>
      ask((core) => {
        const number = core.requestInstanceAt(serviceId, clusterId);
        return number === undefined ? undefined : { number };
      }),
    removeInstance: (serviceId, number) => ask((core) => core.removeInstance(serviceId, number)),
    removeAllInstances: (serviceId) => ask((core) => core.removeAllInstances(serviceId)),
    setReplicas: (serviceId, count) => ask((core) => core.setReplicas(serviceId, count)),

    setClusterAvailability: (id, availability, { isForced }) =>
      ask((core) => core.setClusterAvailability(id, availability, isForced)),
    clusterUp: (id, greeting) => run((core) => core.clusterUp(id, greeting)),
    clusterDown: (id, reason) => run((core) => core.clusterDown(id, reason)),
    clusterLabelsChanged: () => run((core) => core.clusterLabelsChanged()),
    clusterHeard: (id) => coreNow().clusterHeard(id),
    clusterReport(id, report) {
      if (report.type === 'usage') usage.keep(report.rows, (key) => isHeldBy(id, key));
      run((core) => core.clusterReport(id, report));
    },
    selfLate: (lateMs) => run((core) => core.selfLate(lateMs)),
    clusterState: (id) => coreNow().arbiter.memberState(id),
    heldEpoch: (clusterId, key) =>
      coreNow()
        .arbiter.record(key)
        ?.placements.find(({ member }) => member === clusterId)?.epoch,
    isKnown: (key) => coreNow().arbiter.record(key) !== undefined,
    isLearning: () => coreNow().arbiter.isLearning(),
    incarnation: () => coreNow().arbiter.incarnation,
    stop() {
      lives.stop();
      for (const reject of waiting) reject(notStored(new Error('the root is stopping')));
      waiting.clear();
    },
  };
}

function notStored(cause: Error | undefined): OakestraError {
  if (cause instanceof OakestraError && cause.kind !== 'unavailable' && cause.kind !== 'exhausted')
    return cause;
  const reason = cause === undefined ? '' : `: ${cause.message}`;
  return new OakestraError(
    'unavailable',
    'not-stored',
    `The change may not have been stored${reason}. Look at the state, then try again`,
    { cause },
  );
}
