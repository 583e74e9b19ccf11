import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPasswordHasher } from './password-hash.ts';

const hasher = createPasswordHasher();

describe('password hashes', () => {
  it('are argon2id with a salt of their own', async () => {
    const [one, two] = await Promise.all([hasher.hash('secret'), hasher.hash('secret')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
    expect(await hasher.verify(one, 'secret')).toBe(true);
    expect(await hasher.verify(one, 'Secret')).toBe(false);
  });

  it('of an imported database are verified (root-api 3.4)', async () => {
    const digest = pbkdf2Sync('Admin', 'aB3dE6gH9jK2mN5p', 260_000, 32, 'sha256').toString('hex');
    const imported = `pbkdf2:sha256:260000$aB3dE6gH9jK2mN5p$${digest}`;
    expect(await hasher.verify(imported, 'Admin')).toBe(true);
    expect(await hasher.verify(imported, 'admin')).toBe(false);
  });

  it.each(['', 'plain', 'pbkdf2:sha1:1$a$00', `pbkdf2:sha256:99999999$a$${'0'.repeat(64)}`])(
    'of the form %j match nothing',
    async (hash) => {
      expect(await hasher.verify(hash, 'plain')).toBe(false);
    },
  );

  it('are refused, not queued for ever, when too many come at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 80 }, () => hasher.verify('plain', 'x')));
    const busy = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(busy).toHaveLength(80 - 2 - 64);
    expect(busy[0]).toMatchObject({ reason: { kind: 'exhausted', code: 'login-busy' } });
    expect(await hasher.verify('plain', 'x')).toBe(false);
  });
});
