import { expect, it } from 'vitest';
import { limitedTurns, turnsByKey } from './turns.ts';

function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

it('lets only so many work at once, in order, also after failures', async () => {
  const inTurn = limitedTurns(2);
  const gates = Array.from({ length: 4 }, gate);
  const begun: number[] = [];
  const works = gates.map(({ opened }, index) =>
    inTurn(async () => {
      begun.push(index);
      await opened;
      if (index === 0) throw new Error('failed');
      return index;
    }),
  );
  const results = Promise.allSettled(works);
  await settled();
  expect(begun).toEqual([0, 1]);
  gates[0]?.open();
  await settled();
  expect(begun).toEqual([0, 1, 2]);
  for (const { open } of gates) open();
  expect((await results).map(({ status }) => status)).toEqual(['rejected', ...Array(3).fill('fulfilled')]);
  expect(begun).toEqual([0, 1, 2, 3]);
});

it('orders work of one key and lets keys pass each other', async () => {
  const inTurn = turnsByKey();
  const first = gate();
  const done: string[] = [];
  const a1 = inTurn('a', async () => {
    await first.opened;
    done.push('a1');
    throw new Error('failed');
  });
  const a2 = inTurn('a', async () => done.push('a2'));
  await inTurn('b', async () => done.push('b'));
  expect(done).toEqual(['b']);
  first.open();
  await expect(a1).rejects.toThrow('failed');
  await a2;
  expect(done).toEqual(['b', 'a1', 'a2']);
});
