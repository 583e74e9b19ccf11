import {
  type Greeting,
  type MemberFacts,
  messageOf,
  sealedVersionsOf,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import { type Clock, createOvertaking, type Logger, type Random, randomHex, retry } from '@oakestra/daemon';
import {
  createPump,
  type DownReason,
  type InstanceRecord,
  type Member,
  type Pump,
} from '@oakestra/ownership';
import type { Sealer } from '@oakestra/pki';
import { firstFit } from '@oakestra/scheduling';
import type { Store } from '@oakestra/store';
import { openValueStore, type ValueStore, type ValuesSchema } from '../values/index.ts';
import { type ClusterCore, type ClusterEffects, createClusterCore } from './core.ts';
import { loadState, nextBoot, statementsOf } from './persistence.ts';
import type { InstancesSchema } from './schema.ts';

export interface InstanceEngineOptions {
  readonly store: Store<InstancesSchema & ValuesSchema>;
  /** Encrypts values at rest; called when there are some. */
  readonly sealer: () => Promise<Sealer>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly clusterName: string;
  readonly workerName: (workerId: string) => string;
  /** Ids of the workers that are registered. */
  readonly workers: readonly string[];
  readonly sendToWorker: (workerId: string, command: TierCommand) => void;
  readonly sendToRoot: (report: TierReport) => void;
  /** The state was read again from the store: all sessions must begin anew. */
  readonly dropSessions: () => void;
}

/** The running form of the core: state in memory, intents on disk before anyone hears of them. */
export interface InstanceEngine {
  rootUp(): void;
  rootDown(): void;
  rootCommand(command: TierCommand): void;
  greeting(): Greeting;
  workerUp(id: string, greeting: Greeting): void;
  workerDown(id: string, reason: DownReason): void;
  workerHeard(id: string): void;
  workerFacts(id: string, facts: MemberFacts): void;
  workerReport(id: string, report: TierReport): void;
  selfLate(lateMs: number): void;
  members(): readonly Readonly<Member>[];
  member(workerId: string): Readonly<Member> | undefined;
  record(key: string): InstanceRecord | undefined;
  stop(): void;
}

export async function startInstances(options: InstanceEngineOptions): Promise<InstanceEngine> {
  const { store, clock, random, logger } = options;
  const stopping = new AbortController();
  let current: { readonly core: ClusterCore; readonly pump: Pump; readonly values: ValueStore };

  const [arriving, leaving] = [createOvertaking(), createOvertaking()];

  /** Values join the command at the last moment. */
  const sendToWorker = (workerId: string, command: TierCommand): void => {
    if (command.type !== 'deploy' || sealedVersionsOf(command.document).size === 0) {
      if ('key' in command) leaving.passes(`${workerId} ${command.key}`);
      options.sendToWorker(workerId, command);
      return;
    }
    const mayLeave = leaving.waits(`${workerId} ${command.key}`);
    current.values
      .load(command.document)
      .then((values) => {
        if (mayLeave()) options.sendToWorker(workerId, { ...command, values });
      })
      .catch((error: unknown) => {
        const fields = { instance: command.key, reason: messageOf(error) };
        logger.error('the values of an instance cannot be read; it is not sent to its worker', fields);
      });
  };

  const deliver = (effects: ClusterEffects): void => {
    for (const notice of effects.notices) {
      switch (notice.kind) {
        case 'changed':
          break;
        case 'store-restored':
          logger.warn('this store is older than what workers have seen: learning from them first', {
            ...notice,
          });
          break;
        case 'loss-doubted':
          logger.error('many workers fell silent at once: nothing is moved for a while', { ...notice });
          break;
        default:
          logger.info(`instance ${notice.kind}`, { ...notice });
      }
    }
    for (const { member, message } of effects.sends) sendToWorker(member, message);
    for (const report of effects.toRoot) options.sendToRoot(report);
  };

  const build = async (): Promise<typeof current> => {
    const stored = await loadState(store as unknown as Store<InstancesSchema>, options.workers);
    const values = await openValueStore({
      store: store as unknown as Store<ValuesSchema>,
      sealer: options.sealer,
      records: stored.records,
    });
    const core = createClusterCore({
      stored,
      hasValues: values.has,
      clusterName: options.clusterName,
      workerName: options.workerName,
      boot: await nextBoot(store as unknown as Store<InstancesSchema>, clock.nowMs()),
      schedule: (request) =>
        firstFit(request, {
          member: 'worker',
          nobodyThere: 'NO_QUALIFIED_WORKER_FOUND',
          noCapacity: 'NO_WORKER_CAPACITY',
        }),
      nowMs: clock.monotonicMs,
      wallMs: clock.nowMs,
      mintIncarnation: () => randomHex(random, 16),
    });
    const pump = createPump<ClusterEffects>({
      core,
      nowMs: clock.monotonicMs,
      setTimer: clock.setTimer,
      durabilityOf: (effects) =>
        effects.writes.size > 0 ||
        effects.assignmentWrites.size > 0 ||
        effects.counter !== undefined ||
        effects.highestEpoch !== undefined
          ? effects.durability
          : 'none',
      commit: (effects, done) => {
        const statements = statementsOf(store as unknown as Store<InstancesSchema>, effects, values);
        store.commit(statements, { durability: effects.durability }).then(
          () => done(),
          (error: Error) => done(error),
        );
      },
      deliver,
      onCommitFailed: (error) => void recover(error),
    });
    return { core, pump, values };
  };

  /** Memory is ahead of the disk: go back to what the disk has, as if the process had started again. */
  const recover = async (error: Error): Promise<void> => {
    logger.error('the store refused a write; going back to what it has', { error });
    options.dropSessions();
    current = await retry(build, { clock, random, signal: stopping.signal, baseMs: 500, capMs: 10_000 });
    // Sessions that began in the meantime were told to the old core.
    options.dropSessions();
    current.pump.run(() => current.core.tick());
    logger.info('the store answers again');
  };

  current = await build();
  current.pump.run(() => current.core.tick());

  const run = (event: (core: ClusterCore) => void): void => current.pump.run(() => event(current.core));

  return {
    rootUp: () => run((core) => core.rootUp()),
    rootDown: () => run((core) => core.rootDown()),
    rootCommand(command) {
      if (command.type !== 'deploy' || command.values === undefined) {
        if ('key' in command) arriving.passes(command.key);
        run((core) => core.rootCommand(command));
        return;
      }
      const { values, ...bare } = command;
      const mayPass = arriving.waits(command.key);
      const obey = (): void => {
        if (mayPass()) run((core) => core.rootCommand(bare));
      };
      current.values
        .keep(values)
        .then((release) => {
          obey();
          release();
        })
        .catch((error: unknown) => {
          const fields = { instance: command.key, reason: messageOf(error) };
          logger.error('the values of an instance could not be stored', fields);
          // It says that it lacks them, and gets them again.
          obey();
        });
    },
    greeting: () => current.core.greeting(),
    workerUp: (id, greeting) => run((core) => core.workerUp(id, greeting)),
    workerDown: (id, reason) => run((core) => core.workerDown(id, reason)),
    workerHeard: (id) => current.core.workerHeard(id),
    workerFacts: (id, facts) => run((core) => core.workerFacts(id, facts)),
    workerReport: (id, report) => run((core) => core.workerReport(id, report)),
    selfLate: (lateMs) => run((core) => core.selfLate(lateMs)),
    members: () => [...current.core.arbiter.members()],
    member: (workerId) => current.core.arbiter.memberState(workerId),
    record: (key) => current.core.arbiter.record(key),
    stop() {
      stopping.abort();
      current.pump.stop();
    },
  };
}
