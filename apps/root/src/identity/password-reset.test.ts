import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ADDRESS,
  ADMIN_PASSWORD,
  type IdentityBench,
  openIdentityBench,
} from './test-support/identity-bench.ts';

const HOUR_MS = 3_600_000;
const mail = {
  ...({ host: 'mail.example.org', port: 465, security: 'tls', from: 'o@example.org' } as const),
  resetUrlBase: 'https://edge.example.org/',
};

let bench: IdentityBench;

beforeAll(async () => {
  bench = await openIdentityBench({ mail });
});

beforeEach(async () => {
  await bench.reset();
  await bench.addUser('bob', [], 'bob@example.org');
  // Rates of the test before are over.
  await bench.clock.advance(HOUR_MS);
});

afterAll(() => bench.close());

const request = (userName = 'bob', address = ADDRESS) =>
  bench.identity.passwordReset.request({ userName, address });
const confirm = (token: string, password = 'new one') =>
  bench.identity.passwordReset.confirm({ token, password, address: ADDRESS });
async function mailedToken(): Promise<string> {
  await request();
  const sent = bench.mails.filter(({ subject }) => subject.includes('new password'));
  const [, token = ''] = /\/resetPassword\/(\S+)/.exec(sent.at(-1)?.text ?? '') ?? [];
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  return token;
}

describe('a forgotten password (root-api 3.8)', () => {
  it('is replaced with the link of the mail, and every login ends', async () => {
    const { accessToken } = await bench.login('bob');
    const token = await mailedToken();
    expect(bench.mails.at(-1)).toMatchObject({
      to: 'bob@example.org',
      text: expect.stringContaining(`https://edge.example.org/resetPassword/${token}\n`),
    });
    await confirm(token);
    await expect(bench.identity.authenticate(accessToken)).rejects.toMatchObject({ code: 'token-revoked' });
    await expect(bench.login('bob', 'new one')).resolves.toHaveProperty('accessToken');
    await expect(bench.login('bob', ADMIN_PASSWORD)).rejects.toMatchObject({ code: 'credentials-wrong' });
  });

  it('keeps nothing that opens an account in the store, the journal or the log (Q11, Q12)', async () => {
    const token = await mailedToken();
    await bench.audit.settled();
    const { db } = bench.store;
    const stored = JSON.stringify([
      await db.selectFrom('password_resets').selectAll().execute(),
      await db.selectFrom('users').selectAll().execute(),
      await db.selectFrom('audit_entries').selectAll().execute(),
    ]);
    expect(stored).toContain('password.reset-request');
    expect(stored + bench.log()).not.toContain(token);
    expect(await bench.identity.users()).toHaveLength(2);
  });

  it('is replaced once per link, also when the link is used twice at the same time', async () => {
    const token = await mailedToken();
    const outcomes = await Promise.allSettled([confirm(token, 'one'), confirm(token, 'two')]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toEqual([
      expect.objectContaining({ reason: expect.objectContaining({ code: 'reset-link-invalid' }) }),
    ]);
    await expect(confirm(token)).rejects.toThrow('Link invalid!');
    await expect(confirm('x')).rejects.toThrow('Link invalid!');
  });

  it('has a link for three hours; one that is late is consumed', async () => {
    const inTime = await mailedToken();
    await bench.clock.advance(3 * HOUR_MS - 1);
    await confirm(inTime);
    const late = await mailedToken();
    await bench.clock.advance(3 * HOUR_MS);
    await expect(confirm(late)).rejects.toMatchObject({ code: 'reset-link-expired' });
    await expect(confirm(late)).rejects.toMatchObject({ code: 'reset-link-invalid' });
  });

  it('has a link that other changes of the account end', async () => {
    const first = await mailedToken();
    await bench.identity.updateUser('bob', { email: 'new@example.org' }, await bench.caller());
    await expect(confirm(first)).rejects.toMatchObject({ code: 'reset-link-invalid' });
    const second = await mailedToken();
    const change = { oldPassword: ADMIN_PASSWORD, newPassword: 'changed' };
    await bench.identity.changePassword(change, await bench.caller('bob'));
    await expect(confirm(second)).rejects.toMatchObject({ code: 'reset-link-invalid' });
  });

  it('is not spent on a password that cannot be one', async () => {
    const token = await mailedToken();
    await expect(confirm(token, '')).rejects.toMatchObject({ code: 'user-invalid' });
    await confirm(token);
  });

  it('is asked for a few times an hour, per account and per address, known or not', async () => {
    for (const name of ['bob', 'nobody']) {
      const isKnown = name === 'bob';
      for (let round = 0; round < 3; round += 1) {
        const asked = request(name, `203.0.113.${round}`);
        if (isKnown) await asked;
        else await expect(asked).rejects.toMatchObject({ kind: 'not-found', code: 'user-not-found' });
      }
      await expect(request(name)).rejects.toMatchObject({
        code: 'reset-throttled',
        details: { retryAfterSeconds: 3600 },
      });
    }
    for (let round = 0; round < 8; round += 1) await expect(request(`u${round}`)).rejects.toThrow();
    await expect(request('u9')).rejects.toMatchObject({ code: 'reset-throttled' });
    await bench.clock.advance(HOUR_MS);
    await request('bob');
  });

  it('of a user without address changes nothing', async () => {
    const sent = bench.mails.length;
    await request('Admin');
    expect(bench.mails).toHaveLength(sent);
    expect(await bench.store.db.selectFrom('password_resets').selectAll().execute()).toEqual([]);
  });
});

describe('where no address of the dashboard is set', () => {
  it('the mail holds a path, and never an address that a stranger sent', async () => {
    const { resetUrlBase: _base, ...settings } = mail;
    const identity = await bench.open({ mail: settings });
    await identity.passwordReset.request({ userName: 'bob', address: ADDRESS });
    const text = bench.mails.at(-1)?.text ?? '';
    expect(text).toMatch(/\n\/resetPassword\/[0-9a-f]{64}\n/);
    expect(text).not.toContain('http');
  });
});

describe('where no mail is configured', () => {
  it('the answer is the same for all names', async () => {
    const without = await openIdentityBench({ mailTransport: undefined });
    const refused = { kind: 'unsupported', code: 'mail-not-configured' };
    for (const userName of ['Admin', 'nobody']) {
      await expect(
        without.identity.passwordReset.request({ userName, address: ADDRESS }),
      ).rejects.toMatchObject(refused);
    }
    await without.close();
  });
});
