import type { Epoch } from '@oakestra/contracts';
import type { InstanceRecord, Notice } from '@oakestra/ownership';
import { beforeEach, expect, it } from 'vitest';
import { serviceDocument } from '../testing/test-cluster.ts';
import { type ChangeFeed, createChangeFeed } from './change-feed.ts';
import type { RootEffects } from './core.ts';
import type { ServiceRecord } from './service-record.ts';

const ID = '1'.repeat(24);
const KEY = `${ID}/0`;
const EPOCH: Epoch = { root: 1, cluster: 0 };
const service: ServiceRecord = {
  ...{ id: ID, ownerUserId: 'u', nextInstanceNumber: 0 },
  document: serviceDocument(ID),
};
let feed: ChangeFeed;
let record: InstanceRecord | undefined;

beforeEach(() => {
  feed = createChangeFeed();
  record = {
    ...{ key: KEY, document: service.document, ownerUserId: 'u', wanted: 'running', detail: '' },
    ...{ status: 'REQUESTED', workerId: null, placements: [{ member: 'c1', epoch: EPOCH, role: 'owner' }] },
  } as unknown as InstanceRecord;
});

function kindsOf(notices: readonly Notice[], services: [string, ServiceRecord | null][] = []): string[] {
  const effects = { serviceWrites: new Map(services), notices } as unknown as RootEffects;
  const core = { arbiter: { record: () => record } } as unknown as Parameters<ChangeFeed['eventsOf']>[0];
  return feed
    .eventsOf(core, effects)
    .map(({ kind, status, ownerUserId }) => `${kind} ${status ?? ''} ${ownerUserId}`);
}

const CHANGED: Notice = { kind: 'changed', key: KEY };

it('tells a change once, however often the record is written', () => {
  expect(kindsOf([CHANGED, CHANGED])).toEqual(['instance-changed REQUESTED u']);
  expect(kindsOf([CHANGED])).toEqual([]);
  record = { ...(record as InstanceRecord), status: 'RUNNING', failures: 3 };
  expect(kindsOf([CHANGED])).toEqual(['instance-changed RUNNING u']);
});

it('says whose an instance was also after its service is gone', () => {
  expect(kindsOf([CHANGED], [[ID, service]])).toEqual(['service-created  u', 'instance-changed REQUESTED u']);
  expect(kindsOf([], [[ID, null]])).toEqual(['service-removed  u']);
  record = undefined;
  expect(kindsOf([{ kind: 'removed', key: KEY }])).toEqual(['instance-removed  u']);
});

it('calls nothing new that was there before', () => {
  feed.assume([service], []);
  expect(kindsOf([], [[ID, { ...service, nextInstanceNumber: 1 }]])).toEqual([]);
});

it("says whose an instance was also when both were there before, and nothing of what is nobody's", () => {
  feed.assume([service], [record as InstanceRecord]);
  expect(kindsOf([CHANGED])).toEqual([]);
  expect(kindsOf([], [[ID, null]])).toEqual(['service-removed  u']);
  record = undefined;
  expect(kindsOf([{ kind: 'removed', key: KEY }])).toEqual(['instance-removed  u']);
  expect(kindsOf([{ kind: 'removed', key: KEY }])).toEqual([]);
});
