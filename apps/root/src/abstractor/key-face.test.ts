import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { recordingLogger } from '@oakestra/store/testing';
import { describe, expect, it } from 'vitest';
import { createKeyFace } from './key-face.ts';

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const get = (url: string, given: string | undefined = pem, method: 'GET' | 'POST' = 'GET') =>
  createKeyFace({ publicKeyPem: () => given, logger: recordingLogger() }).inject({ method, url });

describe('the key face', () => {
  it('shows the key that verifies tokens, with a line break at its end', async () => {
    for (const given of [pem, pem.trimEnd()]) {
      const reply = await get('/key', given);
      expect([reply.statusCode, reply.headers['content-type']]).toEqual([200, 'application/json']);
      expect(reply.json()).toEqual({ public_key: pem });
    }
    expect(createPublicKey((await get('/key')).json().public_key).equals(publicKey)).toBe(true);
  });

  it('shows the key of now: keys change', async () => {
    let current: string | undefined;
    const app = createKeyFace({ publicKeyPem: () => current, logger: recordingLogger() });
    expect((await app.inject('/key')).statusCode).toBe(503);
    expect((await app.inject('/health')).body).toBe('Keys not available!');
    expect((await app.inject('/health')).statusCode).toBe(500);
    current = pem;
    expect((await app.inject('/key')).json()).toEqual({ public_key: pem });
    expect([(await app.inject('/health')).body, (await app.inject('/status')).json()]).toEqual([
      'Working!',
      { status: 'ok' },
    ]);
  });

  it('mints nothing', async () => {
    for (const url of ['/create', '/refresh']) {
      const reply = await get(url, pem, 'POST');
      expect([reply.statusCode, reply.json().message]).toEqual([404, expect.stringContaining('GET /key')]);
    }
  });
});
