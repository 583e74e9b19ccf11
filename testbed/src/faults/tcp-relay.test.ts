import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTcpRelay, type TcpRelay } from './tcp-relay.ts';

describe('a TCP relay', () => {
  let server: Server;
  let relay: TcpRelay;
  const clients: Socket[] = [];

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    relay = await startTcpRelay({ target: { host: '127.0.0.1', port } });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await relay.close();
    await new Promise((resolve) => server.close(resolve));
  });

  const dial = async () => {
    const client = connect(relay.port, relay.address);
    clients.push(client);
    const ended = new Promise<string>((resolve) => {
      client.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      client.on('close', () => resolve('closed'));
    });
    await Promise.race([ended, new Promise<void>((resolve) => client.once('connect', resolve))]);
    return { client, ended };
  };
  const roundTrip = async (client: Socket, text: string): Promise<number> => {
    const startMs = performance.now();
    let answer = '';
    await new Promise<void>((resolve) => {
      const listen = (part: Buffer) => {
        answer += part.toString();
        if (answer.length < text.length) return;
        client.off('data', listen);
        resolve();
      };
      client.on('data', listen);
      client.write(text);
    });
    expect(answer).toBe(text);
    return performance.now() - startMs;
  };

  it('passes everything on in order, and the end of each side', async () => {
    const { client, ended } = await dial();
    const text = Array.from({ length: 50_000 }, (_, index) => `line ${index}\n`).join('');
    await roundTrip(client, text);
    client.end();
    expect(await ended).toBe('closed');
  });

  it('delays each direction', async () => {
    const { client } = await dial();
    expect(await roundTrip(client, 'quick')).toBeLessThan(60);
    relay.setDelay(50);
    const slowMs = await roundTrip(client, 'slow');
    expect(slowMs).toBeGreaterThanOrEqual(98);
    expect(slowMs).toBeLessThan(400);
  });

  it('falls silent without closing, and lets everything through afterwards', async () => {
    const { client } = await dial();
    await roundTrip(client, 'hello');
    relay.hold();
    const trip = roundTrip(client, 'are you there?');
    const outcome = await Promise.race([trip, new Promise((late) => setTimeout(() => late('silence'), 100))]);
    expect(outcome).toBe('silence');
    expect(client.destroyed).toBe(false);
    relay.release();
    await trip;
  });

  it('resets connections and refuses new ones until it accepts again', async () => {
    const first = await dial();
    await roundTrip(first.client, 'hello');
    relay.refuse();
    expect(await first.ended).toBe('ECONNRESET');
    const second = await dial();
    expect(await second.ended).toBe('ECONNRESET');
    relay.accept();
    const third = await dial();
    await roundTrip(third.client, 'back');
    expect(relay.connectionCount()).toBe(1);
  });
});
