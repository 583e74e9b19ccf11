import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { offeredProtocols } from './client-hello.ts';

/** What a real TLS client says first. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const client = tls.connect({ ...options, host: '127.0.0.1', port, rejectUnauthorized: false });
  client.on('error', () => {});
  const [socket] = await accepted;
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return Buffer.concat(chunks);
}

it.each([
  { name: 'of gRPC', given: { ALPNProtocols: ['h2'] }, offered: ['h2'] },
  {
    name: 'of a browser',
    given: { ALPNProtocols: ['h2', 'http/1.1'], servername: 'root.example' },
    offered: ['h2', 'http/1.1'],
  },
  { name: 'of a simple client', given: {}, offered: [] },
  {
    name: 'of an older client',
    given: { ALPNProtocols: ['http/1.1'], maxVersion: 'TLSv1.2' as const },
    offered: ['http/1.1'],
  },
])('reads the handshake $name, and no part of it for the whole', async ({ given, offered }) => {
  const hello = await helloOf(given);
  expect(offeredProtocols(hello)).toEqual(offered);
  expect(offeredProtocols(Buffer.concat([hello, Buffer.from('more')]))).toEqual(offered);
  for (let length = 0; length < hello.length; length += 1) {
    expect(offeredProtocols(hello.subarray(0, length))).toBe('incomplete');
  }
});

it('outlives whatever comes', async () => {
  const hello = await helloOf({ ALPNProtocols: ['h2'] });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const broken = Buffer.from(hello);
        for (const [at, value] of changes) broken[at] = value;
        const found = offeredProtocols(broken);
        expect(found === 'incomplete' || Array.isArray(found)).toBe(true);
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void offeredProtocols(Buffer.from(bytes))),
  );
});

it('waits for no record that is longer than any may be', () => {
  expect(offeredProtocols(Buffer.from([22, 3, 1, 255, 255]))).toEqual([]);
});
