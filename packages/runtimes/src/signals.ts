import { constants } from 'node:os';
import { signalUnknown } from './runtime-errors.ts';

/** First real-time signal as C libraries count them: the kernel's first two belong to the thread library. */
const firstRealTime = 34;
const largestSignal = 64;

const numberOf: Readonly<Record<string, number>> = constants.signals;
const nameOf = new Map(Object.entries(numberOf).map(([name, number]) => [number, name]));
// Two names share these numbers; the other one is rarely meant.
nameOf.set(6, 'SIGABRT').set(29, 'SIGIO').set(17, 'SIGCHLD');

/** The number behind `SIGTERM`, `TERM`, `15` or `SIGRTMIN+3`, as images and people write signals. */
export function signalNumber(signal: string): number {
  const text = signal.trim().toUpperCase();
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= largestSignal) return number;
  }
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  const realTime = name.match(/^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/);
  if (realTime !== null) {
    const [, edge, sign, distanceText] = realTime;
    const distance = Number(distanceText ?? 0) * (sign === '-' ? -1 : 1);
    const number = (edge === 'MIN' ? firstRealTime : largestSignal) + distance;
    if (number >= firstRealTime && number <= largestSignal) return number;
  }
  const known = Object.hasOwn(numberOf, name) ? numberOf[name] : undefined;
  if (known === undefined) throw signalUnknown(signal);
  return known;
}

/** The name of the signal behind an exit status of 128 + number; `undefined` for any other status. */
export function signalOfStatus(status: number): string | undefined {
  const number = status - 128;
  if (number < 1 || number > largestSignal) return undefined;
  return nameOf.get(number) ?? `SIGRTMIN+${number - firstRealTime}`;
}
