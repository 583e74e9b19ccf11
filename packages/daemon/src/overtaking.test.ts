import { expect, it } from 'vitest';
import { createOvertaking } from './overtaking.ts';

it('lets pass what waited, once', () => {
  const mayPass = createOvertaking().waits('a');
  expect([mayPass(), mayPass()]).toEqual([true, false]);
});

it('holds back what was overtaken, by something that passed or that waits itself', () => {
  const overtaking = createOvertaking();
  const first = overtaking.waits('a');
  const other = overtaking.waits('b');
  overtaking.passes('a');
  expect(first()).toBe(false);
  const second = overtaking.waits('a');
  const third = overtaking.waits('a');
  expect([third(), second()]).toEqual([true, false]);
  expect(other()).toBe(true);
});
