import { describe, expect, it } from 'vitest';
import type { Batch } from './thread-protocol.ts';
import { createWriteQueue } from './write-queue.ts';

const batch = (sql: string, bytes = 0): Batch => ({
  statements: [{ sql, parameters: ['x'.repeat(bytes)] }],
  durability: 'full',
});

/** A queue whose groups end when they are told to. */
function playedQueue() {
  const groups: { readonly names: string[]; readonly end: (failed?: string) => void }[] = [];
  const queue = createWriteQueue({
    store: 'test',
    applyGroup: (batches) =>
      new Promise((resolve) => {
        const names = batches.map(({ statements }) => statements[0]!.sql);
        const end = (failed?: string): void =>
          resolve(names.map((name) => (name === failed ? new Error(`failed ${name}`) : undefined)));
        groups.push({ names, end });
      }),
  });
  const group = async (index: number) => {
    await expect.poll(() => groups.length, { interval: 1 }).toBeGreaterThan(index);
    return groups[index]!;
  };
  return { queue, group, groups };
}

describe('the queue of changes', () => {
  it('puts what waits at one moment into one group, in the order of the calls', async () => {
    const { queue, group } = playedQueue();
    const first = [queue.commit(batch('a')), queue.commit(batch('b'))];
    expect((await group(0)).names).toEqual(['a', 'b']);
    const second = [queue.commit(batch('c')), queue.commit(batch('d'))];
    (await group(0)).end();
    await Promise.all(first);
    expect((await group(1)).names).toEqual(['c', 'd']);
    (await group(1)).end('c');
    const outcomes = await Promise.allSettled(second);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('lets other work go alone, between what was called before and after it', async () => {
    const { queue, group, groups } = playedQueue();
    const done: string[] = [];
    let finish = (): void => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const all = [
      queue.commit(batch('a')).then(() => done.push('a')),
      queue
        .alone(async () => {
          done.push('work begins');
          await held;
          throw new Error('changed my mind');
        })
        .catch((error: Error) => done.push(error.message)),
      queue.commit(batch('b')).then(() => done.push('b')),
    ];
    const { end } = await group(0);
    expect(done).toEqual([]);
    end();
    await expect.poll(() => [...done].sort()).toEqual(['a', 'work begins']);
    expect(groups).toHaveLength(1);
    finish();
    expect((await group(1)).names).toEqual(['b']);
    (await group(1)).end();
    await Promise.all(all);
    expect(done.slice(2)).toEqual(['changed my mind', 'b']);
  });

  it('knows when everything up to now is answered, also where it failed', async () => {
    const { queue, group } = playedQueue();
    await queue.settled();
    const failing = expect(queue.commit(batch('a'))).rejects.toThrow('failed a');
    let isSettled = false;
    const settled = queue.settled().then(() => {
      isSettled = true;
    });
    const { end } = await group(0);
    expect(isSettled).toBe(false);
    const later = queue.commit(batch('b'));
    end('a');
    await settled;
    await failing;
    let isDrained = false;
    const drained = queue.drained().then(() => {
      isDrained = true;
    });
    const next = await group(1);
    expect(isDrained).toBe(false);
    next.end();
    await Promise.all([later, drained]);
  });

  it('takes up again after it was idle', async () => {
    const { queue, group } = playedQueue();
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      const committed = queue.commit(batch(name));
      (await group(index)).end();
      await committed;
    }
  });

  it('fails every batch of a group that throws, and goes on', async () => {
    let calls = 0;
    const queue = createWriteQueue({
      store: 'test',
      async applyGroup(batches) {
        calls += 1;
        if (calls === 1) throw new Error('broken');
        return batches.map(() => undefined);
      },
    });
    const outcomes = await Promise.allSettled([queue.commit(batch('a')), queue.commit(batch('b'))]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await queue.commit(batch('c'));
  });

  it('refuses more than fits into memory, and takes changes again when there is room', async () => {
    const { queue, group } = playedQueue();
    const large = 15 * 1024 * 1024;
    const first = [queue.commit(batch('a', large)), queue.commit(batch('b', large))];
    await expect(queue.commit(batch('c', large))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'store-overloaded',
    });
    (await group(0)).end();
    await Promise.all(first);
    const again = queue.commit(batch('d', large));
    (await group(1)).end();
    await again;
  });
});
