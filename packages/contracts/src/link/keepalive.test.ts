import { describe, expect, test } from 'vitest';
import { createKeepalive } from './keepalive.ts';

describe('keepalive', () => {
  test('asks after the idle time and gives up after the silence', () => {
    const keepalive = createKeepalive(10_000, 20_000, 0);
    expect(keepalive.wakeAtMs()).toBe(10_000);
    expect(keepalive.tick(9_999)).toEqual({ ping: false });
    expect(keepalive.tick(10_000)).toEqual({ ping: true });
    expect(keepalive.wakeAtMs()).toBe(20_000);
    expect(keepalive.tick(20_000)).toEqual({ ping: false, silentMs: 20_000 });
  });

  test('anything heard starts over', () => {
    const keepalive = createKeepalive(10_000, 20_000, 0);
    keepalive.tick(10_000);
    keepalive.heard(10_050);
    expect(keepalive.wakeAtMs()).toBe(20_050);
    expect(keepalive.tick(20_050)).toEqual({ ping: true });
  });

  test('a process that was held up suspects itself first', () => {
    const keepalive = createKeepalive(10_000, 20_000, 0);
    expect(keepalive.tick(60_000)).toEqual({ ping: true });
    expect(keepalive.wakeAtMs()).toBe(70_000);
    expect(keepalive.tick(70_000)).toEqual({ ping: false, silentMs: 70_000 });
  });
});
