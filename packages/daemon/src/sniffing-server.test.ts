import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createManualClock } from './manual-clock.ts';
import { createSniffingServer, handOverTo, type SniffingServer } from './sniffing-server.ts';
import { systemClock } from './system-clock.ts';

let certificate: { key: Buffer; cert: Buffer };
beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), 'oak-tls-'));
  try {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'ignore' },
    );
    certificate = { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Answers with who asked and with how much. */
const answer =
  (face: string): http.RequestListener =>
  (request, response) => {
    let received = 0;
    request.on('data', (chunk: Buffer) => {
      received += chunk.byteLength;
    });
    request.on('end', () => {
      const respond = () => response.end(`${face} ${request.url} ${received}`);
      // The request that tests half-closed connections is answered only once the other half is closed.
      if (request.url === '/half') request.socket.once('end', () => setImmediate(respond));
      else respond();
    });
  };

let plain: http.Server;
let secure: https.Server;
let server: SniffingServer;
let first: SniffingServer;
let port: number;
const clients: { destroy(): void }[] = [];

beforeEach(async () => {
  plain = http.createServer({ connectionsCheckingInterval: 50, headersTimeout: 200 }, answer('http'));
  secure = https.createServer(certificate, answer('https'));
  server = createSniffingServer({
    onTls: handOverTo(secure),
    onPlain: handOverTo(plain),
    clock: systemClock(),
  });
  first = server;
  port = (await server.listen({ port: 0, host: '127.0.0.1' })).port;
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await Promise.all([first.close(), server.close()]);
  plain.close();
  secure.close();
});
afterAll(() => {
  expect(clients).toEqual([]);
});

function ask(kind: 'http' | 'https', path: string, { body = '', agent = false as http.Agent | false } = {}) {
  return new Promise<string>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method: 'POST', agent, ca: certificate.cert };
    const request = (kind === 'http' ? http : https).request(options, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A raw connection; `ended` gives everything received once the server has closed. */
function raw(): { socket: Socket; ended: Promise<string> } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  let received = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    received += String(chunk);
  });
  const ended = new Promise<string>((resolve) => {
    socket.once('end', () => resolve(received));
    socket.once('close', () => resolve(received));
  });
  return { socket, ended };
}

describe('one port for TLS and plaintext', () => {
  it('serves both, side by side', async () => {
    const kinds = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'http' : 'https'));
    const answers = await Promise.all(kinds.map((kind, index) => ask(kind as 'http', `/${index}`)));
    expect(answers).toEqual(kinds.map((kind, index) => `${kind} /${index} 0`));
  });

  it('waits for a handshake that comes in pieces', async () => {
    const direct = port;
    const slow = createServer((client) => {
      const upstream = connect({ port: direct, host: '127.0.0.1', noDelay: true });
      clients.push(client, upstream);
      upstream.pipe(client);
      let queue = Promise.resolve();
      client.on('data', (chunk: Buffer) => {
        queue = queue.then(async () => {
          for (let at = 0; at < chunk.length; at += 40) {
            upstream.write(chunk.subarray(at, at + 40));
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
      });
      for (const socket of [client, upstream]) socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    port = (slow.address() as AddressInfo).port;
    try {
      expect(await ask('https', '/slow')).toBe('https /slow 0');
    } finally {
      port = direct;
      slow.close();
      for (const client of clients.splice(0)) client.destroy();
    }
  });

  it.each(['http', 'https'] as const)('loses nothing of a large request over %s', async (kind) => {
    expect(await ask(kind, '/big', { body: 'x'.repeat(5_000_000) })).toBe(`${kind} /big 5000000`);
  });

  it.each(['http', 'https'] as const)('keeps a connection alive over %s', async (kind) => {
    const agent =
      kind === 'http' ? new http.Agent({ keepAlive: true }) : new https.Agent({ keepAlive: true });
    clients.push(agent);
    for (let round = 0; round < 3; round++)
      expect(await ask(kind, `/${round}`, { agent })).toBe(`${kind} /${round} 0`);
    expect(server.connections).toBe(1);
  });

  it('understands requests that arrive byte by byte', async () => {
    const { socket, ended } = raw();
    socket.setNoDelay(true);
    for (const letter of 'GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
      await new Promise((resolve) => socket.write(letter, resolve));
    }
    expect(await ended).toContain('http /slow 0');
  });

  it('understands a TLS greeting whose first byte comes alone', async () => {
    const { socket } = raw();
    const duplex = tls.connect({
      socket: splitFirstByte(socket),
      ca: certificate.cert,
      servername: 'localhost',
    });
    clients.push(duplex);
    duplex.write('GET /tls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let received = '';
    for await (const chunk of duplex) received += String(chunk);
    expect(received).toContain('https /tls 0');
  });

  it('answers a client that closes its half after the request, if the server does that', async () => {
    Object.assign(plain, { httpAllowHalfOpen: true });
    const { socket, ended } = raw();
    socket.end('GET /half HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await ended).toContain('http /half 0');
  });

  it('hands over a connection that the receiver may pause', async () => {
    const chunks: string[] = [];
    const paused = new Promise<Socket>((resolve) => {
      server = createSniffingServer({
        onTls: () => {},
        onPlain: (socket) => {
          socket.on('data', (chunk) => chunks.push(String(chunk)));
          socket.pause();
          // The stream would act on its own wishes in the next tick.
          setImmediate(resolve, socket);
        },
        clock: systemClock(),
      });
    });
    port = (await server.listen({ port: 0, host: '127.0.0.1' })).port;
    raw().socket.write('hello');
    const socket = await paused;
    expect(chunks).toEqual([]);
    socket.resume();
    await vi.waitFor(() => expect(chunks.join('')).toBe('hello'));
  });

  it('ends a TLS connection whose client has closed its half, although nobody reacts to it', async () => {
    const bare = tls.createServer(certificate, (socket) => socket.resume());
    server = createSniffingServer({ onTls: handOverTo(bare), onPlain: () => {}, clock: systemClock() });
    port = (await server.listen({ port: 0, host: '127.0.0.1' })).port;
    const client = tls.connect({ port, host: '127.0.0.1', ca: certificate.cert });
    clients.push(client);
    client.resume();
    await new Promise((resolve) => client.once('secureConnect', resolve));
    expect(server.connections).toBe(1);
    client.end();
    await vi.waitFor(() => expect(server.connections).toBe(0));
  });

  it('enforces the limits of the HTTP server on slow requests', async () => {
    const { socket, ended } = raw();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
    expect(await ended).toContain('408 Request Timeout');
  });

  it('survives clients that leave early or talk nonsense', async () => {
    const early = raw();
    early.socket.end();
    expect(await early.ended).toBe('');
    const resetting = raw();
    await new Promise((resolve) => resetting.socket.once('connect', resolve));
    resetting.socket.resetAndDestroy();
    const nonsense = raw();
    nonsense.socket.write(Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff, 1, 2, 3]));
    nonsense.socket.end();
    await nonsense.ended;
    expect(await ask('https', '/after')).toBe('https /after 0');
    await vi.waitFor(() => expect(server.connections).toBe(0));
  });
});

describe('limits and the end of a sniffing server', () => {
  it('cuts a connection that says nothing, and no other', async () => {
    const clock = createManualClock();
    const received = new Promise<Socket>((resolve) => {
      server = createSniffingServer({ onTls: () => {}, onPlain: resolve, clock });
    });
    port = (await server.listen({ port: 0 })).port;
    const silent = raw();
    const talking = raw();
    talking.socket.write('x');
    const socket = await received;
    await vi.waitFor(() => expect(server.connections).toBe(2));
    await clock.advance(9_999);
    expect(server.connections).toBe(2);
    await clock.advance(1);
    expect(await silent.ended).toBe('');
    await vi.waitFor(() => expect(server.connections).toBe(1));
    expect(clock.pendingTimers).toBe(0);
    expect(socket.destroyed).toBe(false);
  });

  it('cuts what is open when it closes, also what it handed over, and frees the port', async () => {
    const silent = raw();
    const talking = raw();
    talking.socket.write('GET / HTTP/1.1\r\n');
    await vi.waitFor(() => expect(server.connections).toBe(2));
    await Promise.all([server.close(), server.close()]);
    await Promise.all([silent.ended, talking.ended]);
    expect(server.connections).toBe(0);
    const next = createSniffingServer({ onTls: () => {}, onPlain: () => {}, clock: systemClock() });
    expect((await next.listen({ port, host: '127.0.0.1' })).port).toBe(port);
    await next.close();
  });

  it('lets a request under way finish when it may drain', async () => {
    let respond = () => {};
    plain.removeAllListeners('request');
    const arrived = new Promise<void>((resolve) => {
      plain.on('request', (_, response: http.ServerResponse) => {
        respond = () => response.end('finished');
        resolve();
      });
    });
    const asked = ask('http', '/');
    await arrived;
    const closed = server.close(10_000);
    respond();
    expect(await asked).toBe('finished');
    await closed;
  });

  it('says that a port is taken', async () => {
    const second = createSniffingServer({ onTls: () => {}, onPlain: () => {}, clock: systemClock() });
    await expect(second.listen({ port, host: '127.0.0.1' })).rejects.toMatchObject({
      kind: 'conflict',
      code: 'port-in-use',
      message: `127.0.0.1:${port} is in use by another program; stop that, or configure another port`,
    });
    await second.close();
  });

  it('refuses connections beyond its limit', async () => {
    const limited = createSniffingServer({
      onTls: () => {},
      onPlain: () => {},
      clock: systemClock(),
      maxConnections: 1,
    });
    port = ((await limited.listen({ port: 0, host: '127.0.0.1' })) satisfies AddressInfo).port;
    const accepted = raw();
    await vi.waitFor(() => expect(limited.connections).toBe(1));
    expect(await raw().ended).toBe('');
    expect(accepted.socket.destroyed).toBe(false);
    await limited.close();
  });
});

/** The same connection, with the first byte written by itself and the rest a little later. */
function splitFirstByte(socket: Socket): Socket {
  socket.setNoDelay(true);
  const write = socket._write.bind(socket);
  let isFirst = true;
  socket._write = (chunk: Buffer, encoding, callback) => {
    if (!isFirst || chunk.byteLength < 2) {
      write(chunk, encoding, callback);
      return;
    }
    isFirst = false;
    write(chunk.subarray(0, 1), encoding, () =>
      setTimeout(() => write(chunk.subarray(1), encoding, callback), 30),
    );
  };
  return socket;
}
