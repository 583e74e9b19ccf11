import { describe, expect, test } from 'vitest';
import { type AcceptorOptions, createLinkAcceptor } from './accept.ts';
import type { LinkConnection } from './connection.ts';
import { type DialFailure, type DialOptions, dialLink } from './dial.ts';
import type { LinkEnd } from './link-end.ts';
import { createMemoryLink, type MemoryLink } from './memory-transport.ts';
import { createTestClock, type TestClock } from './test-clock.ts';

/** A network in memory: endpoints that answer are in `acceptors`. */
function createWorld(clock: TestClock) {
  const links: MemoryLink[] = [];
  const tries: { endpoint: string; atMs: number }[] = [];
  const acceptors = new Map<string, ReturnType<typeof createLinkAcceptor>>();
  const arrived: { endpoint: string; name: string; connection: LinkConnection }[] = [];
  return {
    links,
    tries,
    arrived,
    serve(endpoint: string, options: Partial<AcceptorOptions> = {}) {
      const acceptor = createLinkAcceptor({
        identity: { role: 'root', name: endpoint, incarnation: 'r', bootId: endpoint, capabilities: [] },
        clock,
        onConnection: (connection, name) => void arrived.push({ endpoint, name, connection }),
        ...options,
      });
      acceptors.set(endpoint, acceptor);
      return acceptor;
    },
    unserve: (endpoint: string) => void acceptors.delete(endpoint),
    dial(options: Partial<DialOptions> = {}, name = 'edge') {
      const ups: LinkConnection[] = [];
      const downs: LinkEnd[] = [];
      const failures: DialFailure[] = [];
      const dialer = dialLink({
        endpoints: ['a:1'],
        identity: { role: 'cluster', name, incarnation: 'c', bootId: 'p1', capabilities: [] },
        clock,
        random: { fraction: () => 1 },
        async connect(endpoint) {
          tries.push({ endpoint, atMs: clock.monotonicMs() });
          const acceptor = acceptors.get(endpoint);
          if (acceptor === undefined) throw new Error('connection refused');
          const link = createMemoryLink();
          links.push(link);
          acceptor.accept(name, link.acceptor);
          return link.dialer;
        },
        onUp: (connection) => void ups.push(connection),
        onDown: (end) => void downs.push(end),
        onUnreachable: (failure) => void failures.push(failure),
        ...options,
      });
      return { dialer, ups, downs, failures };
    },
  };
}

describe('dialling', () => {
  test('waits longer after each failure, up to ten seconds', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    const { dialer, failures } = world.dial();
    await clock.advance(60_000);
    expect(failures.map((failure) => failure.nextTryMs).slice(0, 9)).toEqual([
      200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000,
    ]);
    expect(failures[0]).toMatchObject({ endpoint: 'a:1', message: 'connection refused' });
    await dialer.stop();
    const tries = world.tries.length;
    await clock.advance(60_000);
    expect(world.tries).toHaveLength(tries);
  });

  test('tries one endpoint after the other until one answers', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    world.serve('c:1');
    const { dialer, ups } = world.dial({ endpoints: ['a:1', 'b:1', 'c:1'] });
    await clock.advance(1_000);
    expect(world.tries.map((each) => each.endpoint)).toEqual(['a:1', 'b:1', 'c:1']);
    expect(ups.map((connection) => connection.peer.name)).toEqual(['c:1']);
    expect(dialer.connection()).toBe(ups[0]);
    await dialer.stop();
  });

  test('a link that breaks is back within 200 ms', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    world.serve('a:1');
    const { dialer, ups, downs } = world.dial();
    await clock.advance(60_000);
    world.links[0]?.cut();
    expect(dialer.connection()).toBeUndefined();
    await clock.advance(200);
    expect(downs.map((end) => end.kind)).toEqual(['reset']);
    expect(ups).toHaveLength(2);
    await dialer.stop();
  });

  test('links that break at once are not dialled in a rush', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    world.serve('a:1', { onConnection: (connection) => connection.onMessage(() => connection.close()) });
    let ups = 0;
    const onUp = (connection: LinkConnection): void => {
      ups += 1;
      connection.send('commands', 'poison', null);
    };
    const { dialer, downs } = world.dial({ onUp });
    await clock.advance(20_000);
    expect(downs.length).toBeGreaterThan(4);
    expect(ups).toBeLessThan(10);
    await dialer.stop();
  });

  test('an endpoint that does not answer is given up in time', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    const { dialer, failures } = world.dial({
      connect: (_endpoint, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('gave up')));
        }),
    });
    await clock.advance(10_100);
    expect(failures.map((failure) => failure.message)).toEqual(['gave up']);
    await dialer.stop();
  });

  test('a peer of the wrong kind is refused', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    world.serve('a:1');
    const checkPeer = (): void => {
      throw new Error('that is no root');
    };
    const { dialer, ups, failures } = world.dial({ checkPeer });
    await clock.advance(100);
    expect(ups).toEqual([]);
    expect(failures[0]?.message).toBe('that is no root');
    await dialer.stop();
  });

  test('stop says goodbye, and does so in every state', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    world.serve('a:1');
    const up = world.dial();
    await clock.advance(100);
    await up.dialer.stop({ reason: 'restarting', graceMs: 30_000 });
    expect(await world.arrived[0]?.connection.closed).toMatchObject({
      kind: 'bye',
      by: 'peer',
      reason: 'restarting',
    });
    await up.dialer.stop();
    const connecting = world.dial({ connect: () => new Promise(() => {}) });
    await connecting.dialer.stop({ reason: 'leaving', graceMs: 0 });
    await clock.advance(60_000);
    expect(up.ups).toHaveLength(1);
    expect(connecting.ups).toEqual([]);
  });

  test('needs an endpoint', () => {
    const world = createWorld(createTestClock());
    expect(() => world.dial({ endpoints: [] })).toThrow(/at least one endpoint/);
  });
});

describe('accepting', () => {
  test('a newer link of the same name replaces the older, which does not fight back', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    const acceptor = world.serve('a:1');
    const first = world.dial();
    await clock.advance(10_000);
    const second = world.dial();
    await clock.advance(9_000);
    expect(first.downs).toEqual([{ kind: 'bye', by: 'peer', reason: 'superseded', graceMs: 0 }]);
    expect(first.ups).toHaveLength(1);
    expect(second.downs).toEqual([]);
    expect(acceptor.connection('edge')).toBe(world.arrived[1]?.connection);
    await Promise.all([first.dialer.stop(), second.dialer.stop()]);
    await clock.advance(0);
    expect(acceptor.connection('edge')).toBeUndefined();
  });

  test('a peer speaks only for itself', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    world.serve('a:1');
    const identity = { role: 'cluster', name: 'other', incarnation: 'c', bootId: 'p', capabilities: [] };
    const { dialer, failures } = world.dial({ identity });
    await clock.advance(100);
    expect(world.arrived).toEqual([]);
    expect(failures[0]?.message).toMatch(/the certificate is that of edge, the greeting says other/);
    await dialer.stop();
  });

  test('sequences go on over links, and a restarted acceptor does not take news for repetitions', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    const sequences: number[] = [];
    const onConnection = (connection: LinkConnection): void =>
      connection.onMessage((message) => void sequences.push(message.sequence));
    world.serve('a:1', { onConnection });
    const { dialer } = world.dial();
    await clock.advance(6_000);
    dialer.connection()?.send('status', 's', 1);
    await clock.advance(1);
    world.links[0]?.cut();
    await clock.advance(200);
    dialer.connection()?.send('status', 's', 2);
    await clock.advance(6_000);
    world.serve('a:1', { onConnection });
    world.links[1]?.cut();
    await clock.advance(200);
    dialer.connection()?.send('status', 's', 3);
    await clock.advance(1);
    expect(sequences).toEqual([1, 2, 3]);
    await dialer.stop();
  });

  test('stop says goodbye to all and takes no more', async () => {
    const clock = createTestClock();
    const world = createWorld(clock);
    const acceptor = world.serve('a:1');
    const one = world.dial({}, 'one');
    const two = world.dial({}, 'two');
    await clock.advance(100);
    expect(world.arrived.map((each) => each.name)).toEqual(['one', 'two']);
    await acceptor.stop({ reason: 'restarting', graceMs: 5_000 });
    await clock.advance(0);
    expect(two.downs).toEqual([{ kind: 'bye', by: 'peer', reason: 'restarting', graceMs: 5_000 }]);
    await clock.advance(20_000);
    expect(two.ups).toHaveLength(1);
    await Promise.all([one.dialer.stop(), two.dialer.stop()]);
  });
});
