import {
  type Greeting,
  OakestraError,
  parseInstanceKey,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import { type Clock, type Logger, type Random, randomHex, retry } from '@oakestra/daemon';
import { createPump, type DownReason, type Pump } from '@oakestra/ownership';
import { firstFit } from '@oakestra/scheduling';
import type { Store } from '@oakestra/store';
import { createRootCore, type RootCore, type RootEffects, type ServiceRecord } from './core.ts';
import type { Deployments, InstanceView, ServiceView } from './deployments.ts';
import { loadState, statementsOf } from './persistence.ts';
import type { DeploymentsSchema } from './schema.ts';
import { instanceView, serviceView, type UsageRow } from './views.ts';

export interface DeploymentEngineOptions {
  readonly store: Store<DeploymentsSchema>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ids of the clusters that are registered. */
  readonly clusters: readonly string[];
  /** Sends a command to a cluster; false: its link is not there. */
  readonly send: (clusterId: string, command: TierCommand) => boolean;
  /** The state was read again from the store: all links must be opened anew. */
  readonly dropLinks: () => void;
  /** A service was learned from below. */
  readonly onAdopted: (service: ServiceRecord) => void;
}

/** The running form of the core: state in memory, intents on disk before anyone hears of them. */
export interface DeploymentEngine extends Deployments {
  clusterUp(id: string, greeting: Greeting): void;
  clusterDown(id: string, reason: DownReason): void;
  clusterHeard(id: string): void;
  clusterReport(id: string, report: TierReport): void;
  selfLate(lateMs: number): void;
  clusterState(id: string): ReturnType<RootCore['arbiter']['memberState']>;
  /** Identity of the store for greetings. */
  incarnation(): string;
  stop(): void;
}

export async function startDeployments(options: DeploymentEngineOptions): Promise<DeploymentEngine> {
  const { store, clock, random, logger } = options;
  const usage = new Map<string, UsageRow>();
  const stopping = new AbortController();
  let current: { readonly core: RootCore; readonly pump: Pump };

  const deliver = (effects: RootEffects): void => {
    for (const notice of effects.notices) {
      switch (notice.kind) {
        case 'changed':
          break;
        case 'removed':
          usage.delete(notice.key);
          logger.info('instance removed', { instance: notice.key });
          break;
        case 'store-restored':
          logger.warn('this store is older than what clusters have seen: learning from them first', {
            ...notice,
          });
          break;
        case 'loss-doubted':
          logger.error('many clusters fell silent at once: nothing is moved for a while', { ...notice });
          break;
        default:
          logger.info(`instance ${notice.kind}`, { ...notice });
      }
    }
    for (const service of effects.adoptedServices) options.onAdopted(service);
    for (const { member, message } of effects.sends) options.send(member, message);
  };

  const build = async (): Promise<typeof current> => {
    const core = createRootCore({
      stored: await loadState(store, options.clusters),
      schedule: (request) =>
        firstFit(request, {
          member: 'cluster',
          nobodyThere: 'TargetClusterNotActive',
          noCapacity: 'NoActiveClusterWithCapacity',
        }),
      nowMs: clock.monotonicMs,
      wallMs: clock.nowMs,
      mintIncarnation: () => randomHex(random, 16),
    });
    const pump = createPump<RootEffects>({
      core,
      nowMs: clock.monotonicMs,
      setTimer: clock.setTimer,
      durabilityOf: (effects) =>
        effects.writes.size > 0 || effects.serviceWrites.size > 0 || effects.counter !== undefined
          ? effects.durability
          : 'none',
      commit: (effects, done) => {
        store.commit(statementsOf(store, effects), { durability: effects.durability }).then(
          () => done(),
          (error: Error) => done(error),
        );
      },
      deliver,
      onCommitFailed: (error) => void recover(error),
    });
    return { core, pump };
  };

  /** Memory is ahead of the disk: go back to what the disk has, as if the process had started again. */
  const recover = async (error: Error): Promise<void> => {
    logger.error('the store refused a write; going back to what it has', { error });
    options.dropLinks();
    current = await retry(build, { clock, random, signal: stopping.signal, baseMs: 500, capMs: 10_000 });
    current.pump.run(() => current.core.tick());
    logger.info('the store answers again');
  };

  current = await build();
  current.pump.run(() => current.core.tick());

  /** Runs a change; resolves when it is on disk. What the change throws is thrown. */
  const ask = <T>(change: (core: RootCore) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
      current.pump.run(
        () => {
          try {
            outcome = { value: change(current.core) };
          } catch (error) {
            outcome = { error };
          }
        },
        (error) => {
          if (error !== undefined) reject(notStored(error));
          else if (outcome === undefined) reject(notStored(new Error('stopped')));
          else if ('error' in outcome) reject(outcome.error);
          else resolve(outcome.value);
        },
      );
    });

  const instancesByService = (): Map<string, InstanceView[]> => {
    const instances = new Map<string, InstanceView[]>();
    for (const record of current.core.arbiter.records()) {
      if (record.wanted === 'removed') continue;
      const view = instanceView(record, usage.get(record.key));
      const list = instances.get(view.serviceId);
      if (list === undefined) instances.set(view.serviceId, [view]);
      else list.push(view);
    }
    for (const list of instances.values()) list.sort((a, b) => a.number - b.number);
    return instances;
  };

  const viewOf = (service: ServiceRecord | undefined): ServiceView | undefined => {
    if (service === undefined) return undefined;
    const instances: InstanceView[] = [];
    for (const record of current.core.arbiter.records()) {
      if (record.wanted === 'removed' || parseInstanceKey(record.key).serviceId !== service.id) continue;
      instances.push(instanceView(record, usage.get(record.key)));
    }
    return serviceView(
      service,
      instances.sort((a, b) => a.number - b.number),
    );
  };

  const keepUsage = (rows: readonly UsageRow[]): void => {
    for (const row of rows) {
      const logs = row.logs ?? usage.get(row.key)?.logs;
      usage.set(row.key, logs === undefined ? row : { ...row, logs });
    }
  };

  return {
    registerService: (service) => ask((core) => core.registerService(service)),
    removeService: (serviceId) => ask((core) => core.removeService(serviceId)),
    service: (serviceId) => viewOf(current.core.service(serviceId)),
    serviceByJobName: (jobName) => viewOf(current.core.serviceByJobName(jobName)),
    services() {
      const instances = instancesByService();
      return Array.from(current.core.services(), (service) =>
        serviceView(service, instances.get(service.id) ?? []),
      );
    },
    requestInstance: (serviceId) => ask((core) => ({ number: core.requestInstance(serviceId) })),
    removeInstance: (serviceId, number) => ask((core) => core.removeInstance(serviceId, number)),
    removeAllInstances: (serviceId) => ask((core) => core.removeAllInstances(serviceId)),

    clusterUp: (id, greeting) => current.pump.run(() => current.core.clusterUp(id, greeting)),
    clusterDown: (id, reason) => current.pump.run(() => current.core.clusterDown(id, reason)),
    clusterHeard: (id) => current.core.clusterHeard(id),
    clusterReport(id, report) {
      if (report.type === 'usage') keepUsage(report.rows);
      current.pump.run(() => current.core.clusterReport(id, report));
    },
    selfLate: (lateMs) => current.pump.run(() => current.core.selfLate(lateMs)),
    clusterState: (id) => current.core.arbiter.memberState(id),
    incarnation: () => current.core.arbiter.incarnation,
    stop() {
      stopping.abort();
      current.pump.stop();
    },
  };
}

function notStored(cause: Error): OakestraError {
  return cause instanceof OakestraError
    ? cause
    : new OakestraError('unavailable', 'not-stored', 'The change could not be stored; try again', { cause });
}
