import {
  createPublisher,
  type InstanceKey,
  type InstanceReport,
  instanceKey,
  type Publisher,
  parseInstanceKey,
  type TierCommand,
  type TierReport,
} from '@oakestra/contracts';
import type { ClusterReport, ReportedInstance } from '@oakestra/contracts/classic';
import type { Logger } from '@oakestra/daemon';
import { createCalls, type MakeCall } from './calls.ts';
import type { LegacyEngine } from './legacy-engine.ts';
import { documentOf, factsOf, removedRow, rowOf, usageOf } from './rows.ts';

export interface LegacyPeerOptions {
  readonly id: string;
  readonly engine: LegacyEngine;
  readonly call: MakeCall;
  readonly logger: Logger;
  /** Whether all that it reports was known once, in this life of our store. */
  readonly isFamiliar: () => boolean;
  /** All that it reports is known now. */
  readonly becameFamiliar: () => void;
}

/** One cluster of the original, as a member that speaks like one with a link. */
export interface LegacyPeer {
  /** Takes in a complete report; the first one begins a session. */
  report(report: ClusterReport): void;
  /** Carries out what the root wants of it; false: it is not there. */
  command(command: TierCommand): boolean;
  /** Ends the session: the next report begins another one. */
  end(): void;
}

interface Reported {
  readonly jobName: string;
  readonly instance: ReportedInstance;
}

/**
 * The cluster says what it has and nothing of how it came to it. What it runs of an instance, it runs as the placement
 * that our own record says was given to it: it holds an instance once or not at all, so there is nothing to mix up, and
 * nothing to remember beside the record that is on disk before each call. What it has and no record gave to it has the
 * epoch 0.
 */
export function createLegacyPeer(options: LegacyPeerOptions): LegacyPeer {
  const { id, engine, logger } = options;
  const calls = createCalls({ make: options.call, logger });
  let sessions = 0;
  let publisher: Publisher<InstanceReport> | undefined;
  /** Counts the times that the cluster came: what waits to be sent in one is not meant for the next. */
  let session = 0;
  let reported: ReadonlyMap<InstanceKey, Reported> = new Map();
  /** What a row was published of. */
  const published = new Set<InstanceKey>();
  /** Instances that have to go; answered: the next report that lacks one is the proof. */
  const removals = new Map<InstanceKey, { epoch: InstanceReport['epoch']; isAnswered: boolean }>();

  const tell = (message: TierReport): void => engine.clusterReport(id, message);

  const publish = (): void => {
    const changes = publisher?.takeChanges();
    if (changes !== undefined) tell(changes);
  };

  const setRow = (key: InstanceKey, row: InstanceReport): void => {
    published.add(key);
    publisher?.set(key, row);
  };

  const setReported = (key: InstanceKey, { instance }: Reported): void =>
    setRow(key, rowOf(instance, engine.heldEpoch(id, key) ?? { root: 0, cluster: 0 }));

  const deleteRow = (key: InstanceKey): void => {
    published.delete(key);
    publisher?.delete(key);
  };

  const updateRows = (): void => {
    for (const [key, entry] of reported) setReported(key, entry);
    for (const [key, { epoch, isAnswered }] of removals) {
      if (isAnswered && !reported.has(key)) setRow(key, removedRow(epoch));
    }
    for (const key of [...published]) {
      const isConfirmed = removals.get(key)?.isAnswered === true;
      if (!reported.has(key) && !isConfirmed) deleteRow(key);
    }
  };

  const deploy = (command: Extract<TierCommand, { type: 'deploy' }>): void => {
    const { key, document } = command;
    const wasLeaving = removals.delete(key);
    const present = reported.get(key);
    if (present !== undefined && !wasLeaving) {
      // It has it already; only the number is new.
      setReported(key, present);
      publish();
      return;
    }
    const { serviceId, number } = parseInstanceKey(key);
    if (document.image === '') {
      logger.warn(
        'an instance is gone from the cluster that it was adopted from; it cannot be started again',
        {
          cluster: id,
          instance: key,
        },
      );
      return;
    }
    const mine = session;
    const isWanted = () => mine === session && !removals.has(key);
    calls.deploy({ serviceId, number, document }, { isWanted, onAnswer() {} });
  };

  const remove = ({ key, epoch }: Extract<TierCommand, { type: 'remove' }>): void => {
    const { serviceId, number } = parseInstanceKey(key);
    const isAnswered = removals.get(key)?.isAnswered === true && !reported.has(key);
    removals.set(key, { epoch, isAnswered });
    calls.remove(
      { serviceId, number },
      {
        isWanted: () => removals.has(key),
        onAnswer() {
          const removal = removals.get(key);
          if (removal !== undefined) removal.isAnswered = true;
        },
      },
    );
  };

  const forget = (key: InstanceKey): void => {
    removals.delete(key);
    if (reported.has(key)) return;
    deleteRow(key);
    publish();
  };

  /** It runs what the root does not know. */
  const settleUnknown = (key: InstanceKey): void => {
    const entry = reported.get(key);
    if (entry === undefined || engine.isKnown(key)) return;
    const { serviceId, number } = parseInstanceKey(key);
    if (!options.isFamiliar()) {
      const fields = { cluster: id, instance: key, job: entry.jobName };
      logger.warn('a cluster runs an instance that this root lost: it is adopted', fields);
      const epoch = publisher?.get(key)?.epoch ?? { root: 0, cluster: 0 };
      tell({
        type: 'described',
        key,
        epoch,
        document: documentOf(serviceId, entry.jobName),
        ownerUserId: '',
      });
      return;
    }
    if (engine.isLearning()) return;
    // The one place where "unknown" means "delete" (root-api 9.2, Q45, Q46): such a peer knows no tombstones.
    const others = [...reported.keys()].filter((other) => parseInstanceKey(other).serviceId === serviceId);
    const isJobUnknown = engine.service(serviceId) === undefined && !others.some(engine.isKnown);
    logger.info('removing what a cluster runs and nobody wants', { cluster: id, instance: key });
    calls.remove(
      { serviceId, number: isJobUnknown ? -1 : number },
      { isWanted: () => reported.has(key) && !engine.isKnown(key), onAnswer() {} },
    );
  };

  return {
    report(report) {
      reported = merged(reported, report);
      calls.heard();
      const isOpening = publisher === undefined;
      if (isOpening) {
        sessions += 1;
        const source = { incarnation: `legacy-${id}`, boot: sessions };
        publisher = createPublisher<InstanceReport>(source);
        published.clear();
        engine.clusterUp(id, { ...source, highestEpoch: { root: 0, cluster: 0 } });
      }
      if (report.resources !== undefined) tell(factsOf(report.resources));
      updateRows();
      if (isOpening && publisher !== undefined) tell(publisher.restart());
      else publish();
      tell({ type: 'usage', rows: [...reported].map(([key, { instance }]) => usageOf(key, instance)) });
      if (!options.isFamiliar() && [...reported.keys()].every(engine.isKnown)) options.becameFamiliar();
    },

    command(command) {
      if (publisher === undefined) return false;
      switch (command.type) {
        case 'deploy':
          deploy(command);
          break;
        case 'remove':
          remove(command);
          break;
        case 'forget':
          forget(command.key);
          break;
        case 'describe':
          settleUnknown(command.key);
          break;
        case 'sync':
          tell(publisher.answer(command));
          break;
      }
      return true;
    },

    end() {
      session += 1;
      publisher = undefined;
      reported = new Map();
      removals.clear();
    },
  };
}

/** What is reported now. Of what cannot be read, what was said before stays true. */
function merged(
  before: ReadonlyMap<InstanceKey, Reported>,
  report: ClusterReport,
): Map<InstanceKey, Reported> {
  const next = new Map<InstanceKey, Reported>();
  const unreadable = new Set(report.unreadable.map((job) => job.id));
  for (const [key, entry] of before)
    if (unreadable.has(parseInstanceKey(key).serviceId)) next.set(key, entry);
  for (const { id, jobName, instances } of report.jobs) {
    for (const instance of instances) {
      const key = instanceKey(id, instance.number);
      const status = instance.status ?? before.get(key)?.instance.status;
      next.set(key, { jobName, instance: { ...instance, status } });
    }
  }
  return next;
}
