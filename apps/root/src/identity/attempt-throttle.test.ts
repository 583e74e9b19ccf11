import { createManualClock } from '@oakestra/daemon';
import { describe, expect, it } from 'vitest';
import { createAttemptThrottle } from './attempt-throttle.ts';

function setUp() {
  const clock = createManualClock();
  const throttle = createAttemptThrottle(clock);
  const admittedAt = async (user: string, address: string) => {
    let atMs: number | undefined;
    const admitted = throttle.admit(user, address).then(() => {
      atMs = clock.monotonicMs();
    });
    const startMs = clock.monotonicMs();
    await clock.advance(10_000);
    await admitted;
    return (atMs ?? Number.NaN) - startMs;
  };
  return { clock, throttle, admittedAt };
}

describe('the throttle of wrong attempts', () => {
  it('lets the first attempt pass, and delays more with each failure', async () => {
    const { throttle, clock } = setUp();
    const delays: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const startMs = clock.monotonicMs();
      let admittedMs: number | undefined;
      void throttle.admit('Admin', '192.0.2.1').then(() => {
        admittedMs = clock.monotonicMs();
      });
      while (admittedMs === undefined) await clock.advance(50);
      delays.push(admittedMs - startMs);
      throttle.failed('Admin', '192.0.2.1');
    }
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3000, 3000]);
  });

  it('makes parallel attempts wait for one another, and refuses too many', async () => {
    const { throttle, clock } = setUp();
    throttle.failed('Admin', '192.0.2.1');
    const admittedMs: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      void throttle.admit('Admin', '192.0.2.1').then(() => admittedMs.push(clock.monotonicMs()));
    }
    await expect(throttle.admit('Admin', '192.0.2.1')).rejects.toMatchObject({
      code: 'login-throttled',
      details: { retryAfterSeconds: 1 },
    });
    await clock.advance(1000);
    expect(admittedMs).toEqual([100, 200, 300, 400, 500, 600, 700, 800]);
  });

  it('concerns one user from one address, and ends with a success or with time', async () => {
    const { throttle, clock, admittedAt } = setUp();
    throttle.failed('Admin', '192.0.2.1');
    expect(await admittedAt('bob', '192.0.2.1')).toBe(0);
    expect(await admittedAt('Admin', '192.0.2.2')).toBe(0);
    throttle.failed('Admin', '192.0.2.1');
    expect(await admittedAt('Admin', '192.0.2.1')).toBe(200);
    await clock.advance(15 * 60_000);
    expect(await admittedAt('Admin', '192.0.2.1')).toBe(0);
    throttle.failed('Admin', '192.0.2.1');
    throttle.succeeded('Admin', '192.0.2.1');
    expect(await admittedAt('Admin', '192.0.2.1')).toBe(0);
  });

  it('sees one attacker in all addresses of an IPv6 network', async () => {
    const { throttle, admittedAt } = setUp();
    throttle.failed('Admin', '2001:db8::1');
    expect(await admittedAt('Admin', '2001:db8:0:0:ffff::2')).toBe(100);
    expect(await admittedAt('Admin', '2001:db8:1::1')).toBe(0);
  });
});
