import { describe, expect, it } from 'vitest';
import { createBackground } from './background.ts';
import { createGate } from './gate.ts';
import { createTurns } from './turns.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Actions that end when told to, and a record of what began and ended. */
function stage() {
  const record: string[] = [];
  const endings = new Map<string, () => void>();
  const action = (name: string) => () => {
    record.push(`+${name}`);
    return new Promise<void>((resolve) => {
      endings.set(name, () => {
        record.push(`-${name}`);
        resolve();
      });
    });
  };
  const end = async (name: string) => {
    endings.get(name)?.();
    await settle();
  };
  return { record, action, end };
}

describe('the gate', () => {
  it('lets different keys run together and the same key in order', async () => {
    const { record, action, end } = stage();
    const gate = createGate();
    void gate.shared('a', action('a1'));
    void gate.shared('b', action('b1'));
    void gate.shared('a', action('a2'));
    await settle();
    expect(record).toEqual(['+a1', '+b1']);
    await end('a1');
    expect(record.slice(2)).toEqual(['-a1', '+a2']);
  });

  it('runs a large change alone, after what began and before what comes', async () => {
    const { record, action, end } = stage();
    const gate = createGate();
    void gate.shared('a', action('a1'));
    void gate.alone(action('alone'));
    void gate.shared('b', action('b1'));
    await settle();
    expect(record).toEqual(['+a1']);
    await end('a1');
    await end('alone');
    expect(record).toEqual(['+a1', '-a1', '+alone', '-alone', '+b1']);
  });

  it('goes on after a failure, which only its caller sees', async () => {
    const gate = createGate();
    await expect(gate.alone(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
    await expect(gate.shared('a', () => Promise.reject(new Error('y')))).rejects.toThrow('y');
    expect(await gate.shared('a', async () => 1)).toBe(1);
    expect(await gate.alone(async () => 2)).toBe(2);
  });
});

describe('turns', () => {
  it('lets so many run at a time, the others in order', async () => {
    const { record, action, end } = stage();
    const turns = createTurns(2);
    for (const name of ['1', '2', '3', '4']) void turns(action(name));
    await settle();
    expect(record).toEqual(['+1', '+2']);
    await end('2');
    await end('1');
    expect(record).toEqual(['+1', '+2', '-2', '+3', '-1', '+4']);
  });

  it('is not used up by failures', async () => {
    const turns = createTurns(1);
    await expect(turns(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await turns(async () => 1)).toBe(1);
  });
});

describe('background work', () => {
  it('ends when asked, and its failures only reach the log', async () => {
    const said: string[] = [];
    const logger = { debug() {}, info() {}, warn: (text: string) => void said.push(text), error() {} };
    const background = createBackground({ ...logger, child: () => ({ ...logger, child: () => never() }) });
    background.start('one thing', () => Promise.reject(new Error('x')));
    let wasAborted = false;
    background.start('another', async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      wasAborted = true;
    });
    await settle();
    await background.stop();
    await background.stop();
    const isStarted = background.start('too late', () => Promise.reject(never()));
    expect([said, wasAborted, isStarted]).toEqual([['one thing failed'], true, false]);
  });
});

function never(): never {
  throw new Error('not needed here');
}
