import type { DeployCommand, Epoch, InstanceKey, RemoveCommand, ServiceDocument } from '@oakestra/contracts';
import type { ArbiterContext } from './context.ts';
import type { InstanceRecord, Placement } from './record.ts';
import type { Tier } from './tier.ts';

/** Something that the arbiter of a tier is told to want. */
export interface Intent {
  readonly key: InstanceKey;
  readonly document: ServiceDocument;
  readonly ownerUserId: string;
}

const WAITING = 'Waiting for scheduling decision';

export function newRecord(
  context: Pick<ArbiterContext, 'tier' | 'wallMs'>,
  intent: Intent,
  authority: number,
): InstanceRecord {
  return {
    key: intent.key,
    document: intent.document,
    ownerUserId: intent.ownerUserId,
    authority,
    wanted: 'running',
    tombstone: null,
    isTombstoneLearned: false,
    placements: [],
    ...fresh(context.tier),
    failures: 0,
    lastHolder: null,
    workerId: null,
    workerAddress: null,
    sinceMs: context.wallMs(),
  };
}

function fresh(tier: Tier): Pick<InstanceRecord, 'phase' | 'status' | 'detail'> {
  return {
    phase: 'pending',
    status: tier === 'root' ? 'REQUESTED' : 'CLUSTER_SCHEDULED',
    detail: WAITING,
  };
}

/** The user wants this instance (root). */
export function want(context: ArbiterContext, intent: Intent): void {
  if (context.record(intent.key) !== undefined) return;
  context.save(newRecord(context, intent, 0), 'full');
  context.decide(intent.key);
}

/** The user does not want it any more (root). False: unknown, or removed already. */
export function unwant(context: ArbiterContext, key: InstanceKey): boolean {
  const record = context.record(key);
  if (record === undefined || (record.wanted === 'removed' && !record.isTombstoneLearned)) return false;
  const tombstone = context.epochs.next(record);
  context.save(
    { ...record, wanted: 'removed', tombstone, isTombstoneLearned: false, authority: tombstone.root },
    'full',
  );
  context.decide(key);
  return true;
}

/** The root gives us this instance, or confirms that it did (cluster). */
export function deploy(context: ArbiterContext, command: DeployCommand): void {
  if (command.lastHolder !== undefined) context.epochs.learnFrom(command.lastHolder.epoch);
  const record = context.record(command.key) ?? newRecord(context, command, command.epoch.root);
  const isRevived = record.wanted === 'removed';
  const isNewer = isRevived
    ? command.epoch.root >= (record.tombstone?.root ?? 0)
    : command.epoch.root > record.authority;
  const isKnown = context.record(command.key) !== undefined;
  let next = record;
  if (isKnown && isNewer) next = withNewAuthority(record, command, isRevived);
  if (next.wanted === 'running') next = confirmed(withHolderFromAbove(next, command.lastHolder));
  if (isKnown && next === record) {
    // Repeated or late: the present row is the answer. It may have brought values that a member waits for.
    context.effects.notice({ kind: 'changed', key: record.key });
    context.decide(command.key);
    return;
  }
  context.save(next, 'full');
  context.decide(command.key);
}

function withNewAuthority(
  record: InstanceRecord,
  command: DeployCommand,
  isRevived: boolean,
): InstanceRecord {
  const raised: InstanceRecord = {
    ...record,
    document: command.document,
    ownerUserId: command.ownerUserId,
    authority: command.epoch.root,
    wanted: 'running',
    tombstone: null,
    isTombstoneLearned: false,
  };
  if (!isRevived) return raised;
  const placements = record.placements.map((other) => ({ ...other, role: 'retired' as const }));
  return { ...raised, placements, ...fresh('cluster') };
}

/** The root remembers a holder that we do not: our store lost it. */
function withHolderFromAbove(record: InstanceRecord, holder: DeployCommand['lastHolder']): InstanceRecord {
  if (holder === undefined) return record;
  // Within one cluster its own part of the epochs orders them.
  if (record.placements.some((other) => other.epoch.cluster >= holder.epoch.cluster)) return record;
  const owner: Placement = { member: holder.member, epoch: holder.epoch, role: 'owner' };
  const others = record.placements.filter((other) => other.member !== holder.member);
  return {
    ...record,
    lastHolder: { ...holder, via: holder.member },
    placements: [...others.map((other) => ({ ...other, role: 'retired' as const })), owner],
  };
}

function confirmed(record: InstanceRecord): InstanceRecord {
  return record.isUnconfirmed === true ? { ...record, isUnconfirmed: false } : record;
}

/** The root does not want it here any more (cluster). */
export function remove(context: ArbiterContext, command: RemoveCommand): void {
  const record = context.record(command.key);
  if (record === undefined) {
    // Nothing that we know of: the confirmation is kept until the tier above says `forget`.
    const unknown = newRecord(context, { key: command.key, document: NO_DOCUMENT, ownerUserId: '' }, 0);
    context.save(
      {
        ...unknown,
        authority: command.epoch.root,
        wanted: 'removed',
        tombstone: command.epoch,
        isSuperseded: command.reason === 'superseded',
        isUnconfirmed: context.epochs.isLearning(),
      },
      'full',
    );
  } else if (command.epoch.root > (record.tombstone?.root ?? record.authority)) {
    context.save(
      {
        ...record,
        wanted: 'removed',
        tombstone: command.epoch,
        isTombstoneLearned: false,
        isSuperseded: command.reason === 'superseded',
        authority: command.epoch.root,
      },
      'full',
    );
  } else if (record.isUnconfirmed === true && record.wanted === 'running') {
    // Ours is the newer claim: show it, and the root will decide with a newer number.
    context.save(confirmed(record), 'full');
  } else context.effects.notice({ kind: 'changed', key: record.key });
  context.decide(command.key);
}

/** Ends what this tier made by itself: under the authority of the tier above, with a number of our own (cluster). */
export function discard(context: ArbiterContext, key: InstanceKey): void {
  const record = context.record(key);
  if (record === undefined || record.wanted === 'removed') return;
  const tombstone = context.epochs.next(record);
  context.save({ ...record, wanted: 'removed', tombstone, isTombstoneLearned: false }, 'full');
  context.decide(key);
}

/** The confirmation of a removal has arrived above (cluster). */
export function forget(context: ArbiterContext, key: InstanceKey, epoch: Epoch): void {
  const record = context.record(key);
  const isConfirmed = record?.phase === 'removed' && record.placements.length === 0;
  if (isConfirmed && (record.tombstone?.root ?? 0) <= epoch.root) context.erase(record);
  // Also when there is nothing to forget: then the root missed that it was forgotten.
  context.effects.notice({ kind: 'changed', key });
}

/** Stands for the service of a tombstone whose service we never knew. */
const NO_DOCUMENT: ServiceDocument = {
  microserviceID: '',
  applicationID: '',
  job_name: '',
  app_name: '',
  app_ns: '',
  service_name: '',
  service_ns: '',
  virtualization: 'docker',
  image: '',
  code: '',
};
