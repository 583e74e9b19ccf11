import {
  createPublisher,
  type InstanceReport,
  instanceKey,
  type MemberFacts,
  type Publisher,
  type ServiceDocument,
  type TierCommand,
} from '@oakestra/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Arbiter, createArbiter } from './arbiter.ts';
import type { EpochState } from './effects.ts';
import type { MemberMark } from './members.ts';
import type { InstanceRecord } from './record.ts';

const KEY = instanceKey('a'.repeat(24), 0);
const DOCUMENT: ServiceDocument = {
  microserviceID: 'a'.repeat(24),
  applicationID: 'b'.repeat(24),
  job_name: 'shop.default.web.default',
  app_name: 'shop',
  app_ns: 'default',
  service_name: 'web',
  service_ns: 'default',
  virtualization: 'docker',
  image: 'nginx',
  code: 'nginx',
};
const FACTS: MemberFacts = {
  type: 'facts',
  ...{ vcpus: 4, memoryTotalMib: 8000, memoryAvailableMib: 8000, cpuPercent: 0, memoryPercent: 0 },
  ...{ activeWorkers: 1, virtualization: ['docker'], architectures: ['amd64'] },
  ...{ largestWorkerMemoryMib: 8000, largestWorkerVcpus: 4 },
};

let nowMs: number;
let epochs: EpochState;
let arbiter: Arbiter;
let disk: Map<string, InstanceRecord>;
let sent: { readonly member: string; readonly message: TierCommand }[];
let members: Map<string, Publisher<InstanceReport>>;
const stored = new Map<string, MemberMark>();

function start(): void {
  arbiter = createArbiter({
    tier: 'root',
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    mintIncarnation: () => 'c'.repeat(32),
    stored: {
      ...epochs,
      ...{ records: [...disk.values()], members: [...members.keys()], marks: [...stored] },
    },
    schedule: ({ candidates: [first] }) =>
      first === undefined
        ? { kind: 'none', status: 'TargetClusterNotActive', detail: 'nobody' }
        : { kind: 'chosen', member: first.id, reason: 'first' },
  });
}

/** Carries out what the arbiter wants: writes, then says; members answer what they are asked for. */
function settle(): void {
  for (let round = 0; round < 10; round += 1) {
    arbiter.tick();
    const effects = arbiter.takeEffects();
    for (const [key, record] of effects.writes) {
      if (record === null) disk.delete(key);
      else disk.set(key, record);
    }
    epochs = effects.counter ?? epochs;
    for (const [id, mark] of effects.marks) {
      if (mark === null) stored.delete(id);
      else stored.set(id, mark);
    }
    sent.push(...effects.sends);
    for (const { member, message } of effects.sends) {
      const table = message.type === 'sync' ? members.get(member)?.answer(message) : undefined;
      if (table !== undefined) arbiter.receive(member, table);
    }
  }
}

function link(id: string): void {
  const publisher = members.get(id) ?? createPublisher<InstanceReport>({ incarnation: id, boot: 1 });
  members.set(id, publisher);
  arbiter.memberUp(id, { incarnation: id, boot: 1, highestEpoch: { root: 0, cluster: 0 } });
  arbiter.memberFacts(id, FACTS);
  arbiter.receive(id, publisher.restart());
  settle();
}

function report(id: string, phase: InstanceReport['phase'], root: number): void {
  const publisher = members.get(id);
  const status = phase === 'running' ? 'RUNNING' : 'UNDEPLOYED';
  publisher?.set(KEY, { epoch: { root, cluster: 1 }, phase, status, detail: '', workerId: `${id}-worker` });
  const changes = publisher?.takeChanges();
  if (changes !== undefined) arbiter.receive(id, changes);
  settle();
}

const record = () => arbiter.record(KEY);
const holders = () =>
  record()
    ?.placements.map(({ member, role }) => `${role} ${member}`)
    .sort();
const toldTo = (id: string) =>
  sent
    .filter(({ member, message }) => member === id && message.type !== 'sync')
    .map(({ message }) => message.type);
const epochOf = (id: string) => record()?.placements.find(({ member }) => member === id)?.epoch.root ?? 0;

/** Runs on the first of two members. */
function running(document: Partial<ServiceDocument> = {}): void {
  link('one');
  arbiter.want({ key: KEY, document: { ...DOCUMENT, ...document }, ownerUserId: 'u' });
  settle();
  report('one', 'running', epochOf('one'));
  expect(record()?.phase).toBe('running');
}

beforeEach(() => {
  nowMs = 0;
  epochs = { incarnation: 'd'.repeat(32), counter: 100, floor: 1 };
  [disk, members, sent] = [new Map(), new Map(), []];
  stored.clear();
  start();
});

describe('a drain', () => {
  it('moves an instance; the old place is the owner until the new one runs', () => {
    running();
    link('two');
    arbiter.setAvailability('one', 'draining');
    settle();
    expect(holders()).toEqual(['owner one', 'replacement two']);
    expect(toldTo('one')).not.toContain('remove');
    report('two', 'running', epochOf('two'));
    expect(holders()).toEqual(['owner two', 'retired one']);
    expect(toldTo('one').at(-1)).toBe('remove');
    report('one', 'removed', epochOf('two'));
    expect(holders()).toEqual(['owner two']);
  });

  it.each(['stop-after 10', 'wait'])(
    'with %s: the new place is told only when the old one has ended',
    (policy) => {
      running({ on_disconnect: policy });
      link('two');
      arbiter.setAvailability('one', 'draining');
      settle();
      expect(toldTo('two')).toEqual([]);
      expect(toldTo('one').at(-1)).toBe('remove');
      report('one', 'removed', epochOf('two'));
      expect(toldTo('two')).toEqual(['deploy']);
    },
  );

  it('leaves what has nowhere to go where it is, and says why', () => {
    running();
    arbiter.setAvailability('one', 'draining');
    settle();
    expect(holders()).toEqual(['owner one']);
    expect(record()).toMatchObject({
      status: 'RUNNING',
      placement: { code: 'nobody-fits', rejections: [{ member: 'one', code: 'draining' }] },
    });
    link('two');
    nowMs += 300;
    settle();
    expect(holders()).toEqual(['owner one', 'replacement two']);
  });

  it('that is taken back keeps what has not moved', () => {
    running();
    link('two');
    arbiter.setAvailability('one', 'draining');
    settle();
    arbiter.setAvailability('one', 'open');
    settle();
    expect(holders()).toEqual(['owner one', 'retired two']);
  });

  it('survives a restart', () => {
    running();
    arbiter.setAvailability('one', 'draining');
    settle();
    start();
    link('one');
    link('two');
    nowMs += 1000;
    settle();
    expect(holders()).toEqual(['owner one', 'replacement two']);
  });

  it('lets jobs that have begun end', () => {
    running({ one_shot: true });
    link('two');
    arbiter.setAvailability('one', 'draining');
    settle();
    expect(holders()).toEqual(['owner one']);
    expect(record()?.placement?.code).toBe('stays');
  });
});

it('a cordoned member keeps what it has and gets nothing new', () => {
  running();
  arbiter.setAvailability('one', 'cordoned');
  const other = instanceKey('a'.repeat(24), 1);
  arbiter.want({ key: other, document: DOCUMENT, ownerUserId: 'u' });
  settle();
  expect(holders()).toEqual(['owner one']);
  expect(arbiter.record(other)).toMatchObject({
    placements: [],
    placement: { rejections: [{ code: 'cordoned' }] },
  });
  arbiter.setAvailability('one', 'open');
  nowMs += 300;
  settle();
  expect(arbiter.record(other)?.placements).toMatchObject([{ member: 'one' }]);
});

describe('a removed member', () => {
  const removedWhileAway = (document: Partial<ServiceDocument> = {}): number => {
    running(document);
    const epoch = epochOf('one');
    link('two');
    arbiter.memberDown('one', { kind: 'silent' });
    arbiter.setAvailability('one', 'removed');
    settle();
    return epoch;
  };

  it.each(['replace', 'stop-after 10', 'wait'])('that is away: %s is given to another at once', (policy) => {
    const before = removedWhileAway({ on_disconnect: policy });
    expect(holders()).toEqual(['owner two']);
    expect(epochOf('two')).toBeGreaterThan(before);
    expect(toldTo('two')).toEqual(['deploy']);
  });

  it('that comes back is told to stop what others have', () => {
    const before = removedWhileAway();
    report('two', 'running', epochOf('two'));
    link('one');
    report('one', 'running', before);
    const order = sent.findLast(({ member, message }) => member === 'one' && message.type === 'remove');
    expect(order?.message).toMatchObject({ epoch: { root: epochOf('two') } });
    expect(record()?.workerId).toBe('two-worker');
  });

  it('that comes back with what was removed since is told so, also after a restart', () => {
    const before = removedWhileAway();
    arbiter.unwant(KEY);
    settle();
    report('two', 'removed', record()?.tombstone?.root ?? 0);
    expect(record()).toBeUndefined();
    start();
    link('one');
    report('one', 'running', before);
    expect(toldTo('one').at(-1)).toBe('describe');
    arbiter.adopt('one', {
      key: KEY,
      document: DOCUMENT,
      ownerUserId: 'u',
      epoch: { root: before, cluster: 1 },
    });
    settle();
    expect(record()?.wanted).toBe('removed');
    expect(toldTo('one').at(-1)).toBe('remove');
  });

  it('with an at-most-once job: it is given up, not run again', () => {
    removedWhileAway({ one_shot: true, one_shot_delivery: 'at-most-once' });
    expect(record()).toMatchObject({ phase: 'dead', placements: [] });
  });
});
