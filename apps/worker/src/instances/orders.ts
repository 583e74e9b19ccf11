import {
  compareEpochs,
  type DeployCommand,
  type Epoch,
  type InstanceKey,
  type RemoveCommand,
  type ServiceDocument,
  type TierCommand,
} from '@oakestra/contracts';
import { policyOf, type Reporter } from '@oakestra/ownership';
import type { InstanceEntry } from '../journal/index.ts';
import type { Holdings } from './holdings.ts';

/** Obeys the cluster, as far as what it says is newer than what we know. */
export function obey(holdings: Holdings, reporter: Reporter, command: TierCommand): void {
  switch (command.type) {
    case 'deploy':
      runOrGiveValues(holdings, reporter, command);
      break;
    case 'remove':
      if (isNews(holdings, reporter, command)) remove(holdings, command);
      break;
    case 'forget':
      forget(holdings, reporter, command.key, command.epoch);
      break;
    case 'describe':
      describe(holdings, command.key);
      break;
    case 'sync':
      reporter.answer(command);
      break;
  }
}

/** Also a repeated order may have brought values that were missing. */
function runOrGiveValues(holdings: Holdings, reporter: Reporter, command: DeployCommand): void {
  const lacked = reporter.get(command.key)?.needsValues === true;
  if (isNews(holdings, reporter, command)) deploy(holdings, command);
  if (lacked) holdings.valuesMayBeHere(command.key);
}

/** An order that is not newer is answered with what we have. */
function isNews(holdings: Holdings, reporter: Reporter, command: DeployCommand | RemoveCommand): boolean {
  holdings.sawEpoch(command.epoch);
  const present = holdings.entries.get(command.key);
  if (present === undefined || compareEpochs(command.epoch, present.epoch) > 0) return true;
  reporter.offerDigest();
  return false;
}

function deploy(holdings: Holdings, command: DeployCommand): void {
  const present = holdings.entries.get(command.key);
  const isContinued = present !== undefined && present.wanted === 'running' && !mayRunAgain(present);
  const entry: InstanceEntry = {
    key: command.key,
    epoch: command.epoch,
    wanted: 'running',
    document: command.document,
    ownerUserId: command.ownerUserId,
    outcome: isContinued ? present.outcome : null,
    outcomeDetail: isContinued ? present.outcomeDetail : '',
    pinnedImage:
      isContinued && present.document.image === command.document.image ? present.pinnedImage : null,
  };
  holdings.write(entry);
  const live = holdings.live(command.key);
  live.fenceByMs = undefined;
  if (!isContinued) {
    live.failures = 0;
    live.notBeforeMs = 0;
  } else if (live.activity === 'running') holdings.relabel(entry);
  holdings.decide(command.key);
}

/** It stopped itself because nobody was there; now somebody is. */
function mayRunAgain(entry: InstanceEntry): boolean {
  return entry.outcome === 'fenced' && !policyOf(entry.document).isAtMostOnce;
}

function remove(holdings: Holdings, command: RemoveCommand): void {
  const present = holdings.entries.get(command.key);
  if (present?.wanted === 'running') holdings.live(command.key).heldEpoch = present.epoch;
  holdings.write({
    key: command.key,
    epoch: command.epoch,
    wanted: 'removed',
    document: present?.document ?? NO_DOCUMENT,
    ownerUserId: present?.ownerUserId ?? '',
    outcome: null,
    outcomeDetail: '',
    pinnedImage: null,
  });
  holdings.decide(command.key);
}

function forget(holdings: Holdings, reporter: Reporter, key: InstanceKey, epoch: Epoch): void {
  const entry = holdings.entries.get(key);
  // It was forgotten before, and the cluster missed it.
  if (entry === undefined) reporter.offerDigest();
  if (entry === undefined || entry.wanted !== 'removed' || compareEpochs(entry.epoch, epoch) > 0) return;
  if (holdings.live(key).activity === 'absent') holdings.erase(key);
}

function describe(holdings: Holdings, key: InstanceKey): void {
  const entry = holdings.entries.get(key);
  if (entry?.wanted !== 'running') return;
  const { epoch, document, ownerUserId } = entry;
  holdings.say({ type: 'described', key, epoch, document, ownerUserId });
}

/** Stands for the service of a tombstone whose instance was never here. */
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
