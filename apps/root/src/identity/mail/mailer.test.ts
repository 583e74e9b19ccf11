import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import { createLogger, createManualClock, systemClock, systemRandom } from '@oakestra/daemon';
import type { TlsIdentity } from '@oakestra/pki';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openRootCertificates } from '../../certificates.ts';
import { startSmtpServer, type TestSmtpServer } from '../test-support/smtp-server.ts';
import { createMailer, type Mailer } from './mailer.ts';
import type { Mail, MailSettings } from './smtp.ts';

const random = { ...systemRandom(), fraction: () => 1 };
const credentials = { user: 'oak', password: 'smtp-secret' };
const mail: Mail = {
  to: 'bob@example.org',
  subject: 'Grüße',
  text: 'Guten Tag, Bob\n/resetPassword/abc123\n',
};

let folder: string;
let tls: TlsIdentity;
let smtp: TestSmtpServer | undefined;
let mailer: Mailer | undefined;
let logged = '';
const logger = createLogger({ output: { write: (line) => (logged += line) } });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakestra-mail-'));
  const ports = { clock: systemClock(), random: systemRandom(), logger };
  ({ tls } = await openRootCertificates({ stateDirectory: folder, furtherNames: [], ...ports }));
});

afterEach(async () => {
  await mailer?.stop();
  await smtp?.close();
  smtp = undefined;
  logged = '';
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function start(security: MailSettings['security'], settings: Partial<MailSettings> = {}) {
  const identity = { key: tls.keyPem.reveal(), cert: tls.certificatePem };
  const server = await startSmtpServer({
    ...(security === 'none' ? { hideSTARTTLS: true, allowInsecureAuth: true } : identity),
    ...{ secure: security === 'tls', ...credentials },
  });
  smtp = server;
  const clock = createManualClock();
  const posted = createMailer({
    settings: {
      ...{ host: '127.0.0.1', port: server.port, security, from: 'Oakestra <oak@example.org>' },
      ...{ user: credentials.user, password: new Sensitive(credentials.password) },
      ...{ certificateAuthorities: tls.caPem, ...settings },
    },
    ...{ clock, random, logger },
  });
  mailer = posted;
  return { server, clock, mailer: posted };
}

describe('mails over SMTP', () => {
  it.each(['tls', 'starttls', 'none'] as const)('arrive with security %s', async (security) => {
    const { server, mailer } = await start(security);
    mailer.post('registration', mail);
    await mailer.settled();
    expect(server.received).toEqual([
      expect.objectContaining({
        ...{ from: 'oak@example.org', to: ['bob@example.org'] },
        ...{ isSecure: security !== 'none', user: 'oak' },
        source: expect.stringContaining('/resetPassword/abc123'),
      }),
    ]);
    expect(server.received[0]?.source).toContain('From: Oakestra <oak@example.org>');
    expect(logged).toContain('a mail was sent');
  });

  it('are not given to a server whose certificate nobody vouches for', async () => {
    const { server, mailer } = await start('tls', { certificateAuthorities: undefined });
    mailer.post('registration', mail);
    await vi.waitUntil(() => logged.includes('it is tried again'));
    expect(server.received).toEqual([]);
    expect(logged).not.toContain(credentials.password);
  });

  it('never leave unencrypted where starttls is asked for', async () => {
    smtp = await startSmtpServer({ hideSTARTTLS: true, allowInsecureAuth: true, ...credentials });
    const settings = {
      ...({ host: '127.0.0.1', port: smtp.port, security: 'starttls', from: 'oak@example.org' } as const),
      ...{ user: credentials.user, password: new Sensitive(credentials.password) },
    };
    mailer = createMailer({ settings, clock: createManualClock(), random, logger });
    mailer.post('registration', mail);
    await vi.waitUntil(() => logged.includes('a mail was not') || logged.includes('it is tried again'));
    expect(smtp.received).toEqual([]);
  });

  it('are tried again until the server takes them', async () => {
    const { server, clock, mailer } = await start('tls');
    server.refuse(451, 2);
    mailer.post('password-reset', mail);
    await vi.waitUntil(() => clock.pendingTimers > 0);
    expect(server.attempts()).toBe(1);
    await clock.advance(10_000);
    await vi.waitUntil(() => clock.pendingTimers > 0);
    expect(server.attempts()).toBe(2);
    await clock.advance(20_000);
    await mailer.settled();
    expect(server.received).toHaveLength(1);
  });

  it('that a server refuses for good are given up, and the log quotes neither mail nor password', async () => {
    const { server, mailer } = await start('tls');
    server.refuse(554, 1);
    mailer.post('password-reset', mail);
    await mailer.settled();
    expect(server.attempts()).toBe(1);
    expect(logged).toContain('a mail was not sent');
    expect(logged).toContain('554');
    expect(logged).not.toMatch(/abc123|smtp-secret|bob@example/);
  });

  it('with a wrong password say why, without saying the password', async () => {
    const { mailer } = await start('tls', { password: new Sensitive('wrong-secret') });
    mailer.post('registration', mail);
    await mailer.settled();
    expect(logged).toContain('EAUTH');
    expect(logged).not.toMatch(/wrong-secret|smtp-secret/);
  });

  it('that wait are given up at the stop', async () => {
    const { server, clock, mailer } = await start('tls');
    server.refuse(451, 5);
    mailer.post('registration', mail);
    await vi.waitUntil(() => clock.pendingTimers > 0);
    await mailer.stop();
    await mailer.settled();
    expect(clock.pendingTimers).toBe(0);
    expect(logged).toContain('mails were not sent before the stop');
  });
});

describe('without a mail server', () => {
  it('nothing is sent, and nothing fails', async () => {
    const silent = createMailer({ settings: undefined, clock: createManualClock(), random, logger });
    silent.post('registration', mail);
    await silent.settled();
    expect(silent.isConfigured).toBe(false);
    expect(logged).toBe('');
  });
});

describe('settings of mail', () => {
  const create = (settings: Partial<MailSettings>) =>
    createMailer({
      settings: { host: 'mail.example.org', port: 25, security: 'none', from: 'o@example.org', ...settings },
      ...{ clock: createManualClock(), random, logger },
    });

  it('that would show the password are refused', () => {
    expect(() => create({ user: 'oak' })).toThrow(expect.objectContaining({ code: 'mail-settings-invalid' }));
    expect(() => create({})).not.toThrow();
    expect(() => create({ user: 'oak', security: 'starttls' })).not.toThrow();
  });

  it('name the address of the dashboard with its scheme', () => {
    expect(() => create({ resetUrlBase: 'edge.example.org' })).toThrow('resetUrlBase');
    expect(() => create({ resetUrlBase: 'https://edge.example.org' })).not.toThrow();
  });
});
