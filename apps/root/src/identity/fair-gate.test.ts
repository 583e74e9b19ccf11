import { describe, expect, it } from 'vitest';
import { createFairGate } from './fair-gate.ts';

function setUp() {
  const gate = createFairGate({ concurrent: 1, longestQueue: 4 });
  const begun: string[] = [];
  const refused: string[] = [];
  let finish: () => void = () => {};
  const enter = (name: string) => {
    const origin = name[0] ?? '';
    const work = () => {
      begun.push(name);
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    return gate.run(origin, work).catch((error: { code: string }) => {
      refused.push(`${name} ${error.code}`);
    });
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const turn = () => {
    finish();
    return settle();
  };
  return { enter, settle, turn, begun, refused };
}

describe('the gate of costly work', () => {
  it('gives turns to origins, not to whoever asks most', async () => {
    const { enter, turn, begun } = setUp();
    for (const name of ['a1', 'a2', 'a3', 'b1']) void enter(name);
    for (let round = 0; round < 4; round += 1) await turn();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('has room for a newcomer when one origin has filled it, and none for that origin', async () => {
    const { enter, settle, turn, begun, refused } = setUp();
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) void enter(name);
    await settle();
    expect(refused).toEqual(['a6 login-busy']);
    void enter('b1');
    await settle();
    expect(refused).toEqual(['a6 login-busy', 'a5 login-busy']);
    for (let round = 0; round < 5; round += 1) await turn();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
  });

  it('goes on when work fails', async () => {
    const gate = createFairGate({ concurrent: 1, longestQueue: 4 });
    const failing = gate.run('a', async () => {
      throw new Error('no');
    });
    const next = gate.run('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('yes');
  });
});
