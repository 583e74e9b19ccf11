import { beforeEach, expect, it } from 'vitest';
import type { NewEvent } from './journal.ts';
import { createEventSharing, type EventSharing } from './sharing.ts';

let told: NewEvent[];
let asked: string[];
let answers: Map<string, () => Promise<string | undefined>>;
let sharing: EventSharing;

beforeEach(() => {
  [told, asked, answers] = [[], [], new Map()];
  sharing = createEventSharing({
    journal: { add: (event) => void told.push(event) },
    organisationOf(serviceId) {
      asked.push(serviceId);
      return answers.get(serviceId)?.() ?? Promise.resolve(undefined);
    },
  });
});

const event = (serviceId: string | undefined, detail = ''): NewEvent => ({
  kind: 'instance-changed',
  ...{ ownerUserId: 'u', serviceId, detail },
});
const shown = () => told.map(({ organisationId, detail }) => [detail, organisationId]);

it('names the organisation of each service, and asks once for it', async () => {
  answers.set('a', async () => 'acme');
  sharing.add(event('a', '1'));
  await sharing.settled();
  sharing.add(event('a', '2'));
  expect(shown()).toEqual([
    ['1', 'acme'],
    ['2', 'acme'],
  ]);
  expect(asked).toEqual(['a']);
});

it('keeps the order, whatever takes long', async () => {
  let answer = (_organisation: string): void => {};
  answers.set('slow', () => new Promise((resolve) => (answer = resolve)));
  answers.set('fast', async () => 'other');
  sharing.add(event('slow', '1'));
  sharing.add(event('fast', '2'));
  sharing.add(event(undefined, '3'));
  await Promise.resolve();
  expect(told).toEqual([]);
  answer('acme');
  await sharing.settled();
  expect(shown()).toEqual([
    ['1', 'acme'],
    ['2', 'other'],
    ['3', undefined],
  ]);
});

it('tells what nobody knows the organisation of to its owner, and asks again', async () => {
  answers.set('a', () => Promise.reject(new Error('the store is away')));
  sharing.add(event('a', '1'));
  await sharing.settled();
  answers.set('a', async () => 'acme');
  sharing.add(event('a', '2'));
  await sharing.settled();
  expect(shown()).toEqual([
    ['1', undefined],
    ['2', 'acme'],
  ]);
});
