import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callOnce, createGrpcChannel, type GrpcChannel, grpcCode, openCall } from './index.ts';
import { frameMessage } from './message-frames.ts';

type Handler = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>, body: Buffer) => void;

/** A server as gRPC sees one, with a handler per method. */
const handlers: Record<string, Handler> = {
  '/t.T/Echo': (stream, _headers, body) => answer(stream, [body.subarray(5)]),
  '/t.T/Headers': (stream, headers) => answer(stream, [Buffer.from(JSON.stringify(headers))]),
  '/t.T/Missing': (stream) => {
    stream.respond(
      { ':status': 200, 'grpc-status': '5', 'grpc-message': 'no%20%22x%22' },
      { endStream: true },
    );
  },
  '/t.T/Late': (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '9', 'grpc-message': 'not now' }));
    stream.write(frameMessage(Buffer.from('one')));
    stream.end();
  },
  '/t.T/Count': (stream) =>
    answer(
      stream,
      ['1', '2', '3'].map((text) => Buffer.from(text)),
    ),
  '/t.T/Silence': () => {},
  // As a daemon that is killed: the sockets close, and nobody says anything.
  '/t.T/Drop': () => {
    for (const socket of sockets) socket.destroy();
  },
  '/t.T/Proxy': (stream) => stream.respond({ ':status': 502 }, { endStream: true }),
};

function answer(stream: ServerHttp2Stream, messages: readonly Buffer[]): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  for (const message of messages) stream.write(frameMessage(message));
  stream.end();
}

let directory: string;
let server: Http2Server;
let channel: GrpcChannel;
let cancelled: string[];
const sessions = new Set<ServerHttp2Session>();
const sockets = new Set<Socket>();

const listen = async (): Promise<void> => {
  server = createServer();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    const pieces: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('aborted', () => cancelled.push(path));
    if (path === '/t.T/Both') {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
      return;
    }
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => {
      if (!stream.aborted) handlers[path]?.(stream, headers, Buffer.concat(pieces));
    });
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 's'), resolve));
};
const hangUp = async (): Promise<void> => {
  for (const session of sessions) session.destroy();
  sessions.clear();
  await new Promise((resolve) => server.close(resolve));
};

beforeEach(async () => {
  cancelled = [];
  directory = await mkdtemp(join(tmpdir(), 'grpc-'));
  await listen();
  channel = createGrpcChannel({ socketPath: join(directory, 's') });
});

afterEach(async () => {
  channel.close();
  await hangUp();
  await rm(directory, { recursive: true, force: true });
});

const once = (method: string, text = '', timeoutMs = 5_000) =>
  callOnce(channel, {
    path: `/t.T/${method}`,
    headers: { 'x-test': 'yes' },
    timeoutMs,
    message: Buffer.from(text),
  });

const all = async (method: string): Promise<string[]> => {
  const call = openCall(channel, { path: `/t.T/${method}`, headers: {} });
  call.end(Buffer.alloc(0));
  const texts: string[] = [];
  for await (const message of call.responses()) texts.push(String(message));
  return texts;
};

describe('a call with one answer', () => {
  it('brings message, headers and deadline there, and the answer back', async () => {
    expect(String(await once('Echo', 'hello').answer)).toBe('hello');
    const headers = JSON.parse(String(await once('Headers').answer)) as Record<string, string>;
    expect(headers).toMatchObject({
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      'x-test': 'yes',
      'grpc-timeout': '5000m',
    });
  });

  it('carries large messages', async () => {
    const text = 'x'.repeat(3_000_000);
    expect(String(await once('Echo', text).answer)).toBe(text);
  });

  it('fails with the words of the server, wherever they stand', async () => {
    await expect(once('Missing').answer).rejects.toMatchObject({
      code: grpcCode.notFound,
      details: 'no "x"',
    });
    await expect(once('Late').answer).rejects.toMatchObject({
      code: grpcCode.failedPrecondition,
      details: 'not now',
    });
    await expect(once('Proxy').answer).rejects.toMatchObject({ code: grpcCode.unavailable });
  });

  it('ends at its deadline and tells the server', async () => {
    await expect(once('Silence', '', 30).answer).rejects.toMatchObject({ code: grpcCode.deadlineExceeded });
    // The next call comes after the cancellation on the same connection.
    await once('Echo').answer;
    expect(cancelled).toEqual(['/t.T/Silence']);
  });

  it('can be cancelled', async () => {
    const call = once('Silence');
    call.cancel();
    await expect(call.answer).rejects.toMatchObject({ code: grpcCode.cancelled });
  });

  it('says so when nobody listens, and works as soon as somebody does', async () => {
    await hangUp();
    await expect(once('Echo').answer).rejects.toMatchObject({
      code: grpcCode.unavailable,
      details: expect.stringContaining('ENOENT') as string,
    });
    await listen();
    expect(String(await once('Echo', 'again').answer)).toBe('again');
  });

  it('fails when the connection is lost; the next one gets a new connection', async () => {
    await expect(once('Drop').answer).rejects.toMatchObject({ code: grpcCode.unavailable });
    expect(String(await once('Echo', 'again').answer)).toBe('again');
  });
});

describe('a call with many answers', () => {
  it('yields them in order, then the failure if there is one', async () => {
    expect(await all('Count')).toEqual(['1', '2', '3']);
    await expect(all('Late')).rejects.toMatchObject({ code: grpcCode.failedPrecondition });
    await expect(all('Missing')).rejects.toMatchObject({ code: grpcCode.notFound });
    await expect(all('Drop')).rejects.toMatchObject({ code: grpcCode.unavailable });
  });

  it('takes messages while it yields others', async () => {
    const call = openCall(channel, { path: '/t.T/Both', headers: {} });
    const responses = call.responses();
    for (const text of ['a', 'b']) {
      await call.send(Buffer.from(text));
      expect(String((await responses.next()).value)).toBe(text);
    }
    call.end();
    expect((await responses.next()).done).toBe(true);
  });

  it('is cancelled by leaving the loop', async () => {
    const call = openCall(channel, { path: '/t.T/Both', headers: {} });
    await call.send(Buffer.from('a'));
    for await (const _ of call.responses()) break;
    await once('Echo').answer;
    expect(cancelled).toEqual(['/t.T/Both']);
  });

  it('breaks off when it is cancelled from elsewhere', async () => {
    const call = openCall(channel, { path: '/t.T/Silence', headers: {} });
    const first = call.responses().next();
    call.cancel();
    await expect(first).rejects.toMatchObject({ code: grpcCode.cancelled });
  });
});
