import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LINK_CLASSES, type LinkClass } from './classes.ts';
import { MAX_DATA_BYTES } from './frame.ts';
import { createIntake } from './intake.ts';
import { createOutbox } from './outbox.ts';
import { createByteSource } from './send-source.ts';

const ENDLESS = Number.MAX_SAFE_INTEGER;

function lane(id: number, linkClass: LinkClass, creditBytes = ENDLESS) {
  return { id, linkClass, creditBytes, source: createByteSource() };
}

describe('outbox', () => {
  test('an urgent frame overtakes everything that has not left yet', () => {
    const outbox = createOutbox();
    const bulk = lane(20, 'bulk');
    const commands = lane(1, 'commands');
    outbox.add(bulk);
    outbox.add(commands);
    bulk.source.push(Buffer.alloc(1_000_000));
    outbox.wake(20);
    expect(outbox.next(0)?.payload).toHaveLength(MAX_DATA_BYTES);
    commands.source.push(Buffer.from('stop'));
    outbox.wake(1);
    expect(outbox.next(0)?.linkClass).toBe('commands');
    expect(outbox.next(0)?.linkClass).toBe('bulk');
  });

  test('less urgent classes get a small share of a busy link', () => {
    const outbox = createOutbox();
    const lanes = LINK_CLASSES.map((linkClass, index) => lane(index + 1, linkClass));
    for (const each of lanes) {
      outbox.add(each);
      each.source.push(Buffer.alloc(40_000_000));
      outbox.wake(each.id);
    }
    const frames = { commands: 0, status: 0, reports: 0, bulk: 0 };
    for (let i = 0; i < 1_000; i++) frames[outbox.next(0)?.linkClass ?? 'bulk'] += 1;
    expect(frames.commands).toBeGreaterThan(800);
    for (const linkClass of ['status', 'reports', 'bulk'] as const) {
      expect(frames[linkClass]).toBeGreaterThan(30);
      expect(frames[linkClass]).toBeLessThan(80);
    }
  });

  test('streams of one class take turns', () => {
    const outbox = createOutbox();
    for (const id of [16, 18, 20]) {
      const stream = lane(id, 'bulk');
      outbox.add(stream);
      stream.source.push(Buffer.alloc(100_000));
      outbox.wake(id);
    }
    expect([1, 2, 3, 4, 5, 6].map(() => outbox.next(0)?.stream)).toEqual([16, 18, 20, 16, 18, 20]);
  });

  test('a stream without credit stands aside until it gets some; its end needs none', () => {
    const outbox = createOutbox();
    const stream = lane(16, 'bulk', 10);
    outbox.add(stream);
    stream.source.push(Buffer.alloc(30));
    stream.source.end();
    outbox.wake(16);
    expect(outbox.next(0)?.payload).toHaveLength(10);
    expect(outbox.next(0)).toBeUndefined();
    outbox.grant(16, 20);
    expect(outbox.next(0)).toMatchObject({ isEnd: true });
    const other = lane(18, 'bulk', 0);
    outbox.add(other);
    other.source.end();
    outbox.wake(18);
    expect(outbox.next(0)).toMatchObject({ stream: 18, isEnd: true });
  });

  test('a removed stream sends nothing more', () => {
    const outbox = createOutbox();
    const stream = lane(16, 'bulk');
    outbox.add(stream);
    stream.source.push(Buffer.alloc(30));
    outbox.wake(16);
    outbox.remove(16);
    expect(outbox.next(0)).toBeUndefined();
    expect(outbox.grant(16, 1)).toBe(false);
  });
});

describe('intake', () => {
  test('never holds more than its window, and a peer that waits for credit always gets some', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.nat(300), { maxLength: 60 }),
        (window, steps) => {
          const intake = createIntake(window);
          let credit = window;
          let held = 0;
          for (const step of steps) {
            const sent = Math.min(step, credit);
            credit -= sent;
            held += sent;
            expect(intake.arrived(sent)).toBe(true);
            intake.hold(sent);
            expect(held).toBeLessThanOrEqual(window);
            if (step % 3 !== 0) continue;
            intake.release(held);
            held = 0;
            credit += intake.creditDue();
            expect(credit).toBeGreaterThan(0);
          }
        },
      ),
    );
  });

  test('notices a peer that sends without credit', () => {
    const intake = createIntake(100);
    expect(intake.arrived(100)).toBe(true);
    expect(intake.arrived(1)).toBe(false);
  });
});
