import { expect, it } from 'vitest';
import { signalNumber, signalOfStatus } from './signals.ts';

it.each([
  ['SIGTERM', 15],
  ['term', 15],
  ['9', 9],
  ['SIGRTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['SIGRTMAX-1', 63],
])('reads %s', (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

it.each(['', 'SIG', 'SIGNOTHING', '0', '65', '-1', 'SIGRTMIN+40', 'toString'])('refuses "%s"', (text) => {
  expect(() => signalNumber(text)).toThrow(expect.objectContaining({ code: 'signal-unknown' }));
});

it('names the signal behind an exit status', () => {
  expect(signalOfStatus(137)).toBe('SIGKILL');
  expect(signalOfStatus(134)).toBe('SIGABRT');
  expect(signalOfStatus(139)).toBe('SIGSEGV');
  expect(signalOfStatus(165)).toBe('SIGRTMIN+3');
  for (const status of [0, 1, 127, 128, 193, 255]) expect(signalOfStatus(status)).toBeUndefined();
});
