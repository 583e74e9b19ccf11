import { join } from 'node:path';
import { systemClock, systemRandom } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import { openTestStore, recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { shareLeadership, type Term, whileLeading } from './index.ts';

const ports = { clock: systemClock(), random: systemRandom() };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: Store<object>;
let errors: string[];
const logger = recordingLogger(({ level, message }) => {
  if (level === 'error') errors.push(message);
});

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openTestStore(join(folder.path, 'root.db'), {});
  errors = [];
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const newTerm = () => ({ halt: vi.fn(), stop: vi.fn(async () => {}) });

describe('a root that may lead', () => {
  it('does not before its term is there, and builds it again when that fails', async () => {
    const term = newTerm();
    const openTerm = vi.fn(async (): Promise<Term> => {
      if (openTerm.mock.calls.length === 1) throw new Error('a part does not start');
      return term;
    });
    const leadership = shareLeadership({ ...ports, store, logger, openTerm });
    expect([leadership.leader(), await leadership.settled(10)]).toEqual([undefined, undefined]);
    expect(openTerm).not.toHaveBeenCalled();
    leadership.join('192.0.2.1:10012');
    expect(await leadership.settled(20_000)).toEqual({ kind: 'self', term });
    expect([openTerm.mock.calls.length, errors.length]).toEqual([2, 1]);
    await leadership.stop();
    expect([term.stop.mock.calls.length, leadership.leader()]).toEqual([1, undefined]);
  });

  it('ends a term that comes into being while it stops, and says it to those who wait', async () => {
    const term = newTerm();
    let finish = (_term: Term): void => {};
    const openTerm = vi.fn(() => new Promise<Term>((resolve) => (finish = resolve)));
    const leadership = shareLeadership({ ...ports, store, logger, openTerm });
    leadership.join('192.0.2.1:10012');
    await vi.waitFor(() => expect(openTerm).toHaveBeenCalled());
    const waiting = leadership.settled(20_000);
    const stopped = leadership.stop();
    expect(await waiting).toBeUndefined();
    finish(term);
    await stopped;
    expect([term.halt.mock.calls.length, term.stop.mock.calls.length]).toEqual([1, 1]);
    expect(leadership.term()).toBeUndefined();
  });
});

it('gives what a term has only as long as there is one', () => {
  let part: { count: () => number } | undefined = { count: () => 7 };
  const outliving = whileLeading(() => part);
  expect(outliving.count()).toBe(7);
  part = undefined;
  expect(() => outliving.count()).toThrow(
    expect.objectContaining({ kind: 'unavailable', code: 'not-leading' }),
  );
});
