import { OakestraError } from '@oakestra/contracts';
import { type Clock, type Logger, type Random, retry } from '@oakestra/daemon';
import type { MailKind } from './mail-texts.ts';
import {
  createSmtpTransport,
  type Mail,
  type MailSettings,
  type MailTransport,
  requireUsableMailSettings,
} from './smtp.ts';

/** Mails go out in the background: nobody waits for a mail server, and nothing fails because of one. */
export interface Mailer {
  readonly isConfigured: boolean;
  readonly resetUrlBase: string | undefined;
  /** Without a configured server, or to nobody, nothing happens. */
  post(kind: MailKind, mail: Mail): void;
  /** Resolves when no mail is under way or waits for another attempt. */
  settled(): Promise<void>;
  /** Gives up what was not sent, and says how much. */
  stop(): Promise<void>;
}

interface MailerOptions {
  readonly settings: MailSettings | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: SMTP as the settings say. */
  readonly transport?: MailTransport;
}

const MOST_WAITING = 1_000;
const CONCURRENT = 2;
/** The last attempt comes about an hour after the first. */
const MOST_ATTEMPTS = 10;
const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 20 * 60_000;

export function createMailer(options: MailerOptions): Mailer {
  const { settings, clock, random, logger } = options;
  if (settings !== undefined) requireUsableMailSettings(settings);
  const transport = options.transport ?? (settings === undefined ? undefined : createSmtpTransport(settings));
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  /** Turns of the attempts; mails that wait for another one take none. */
  const turns: (() => void)[] = [];
  let sending = 0;

  return {
    isConfigured: transport !== undefined,
    resetUrlBase: settings?.resetUrlBase,
    post(kind, mail) {
      if (transport === undefined || mail.to === '' || stopping.signal.aborted) return;
      if (underWay.size >= MOST_WAITING) {
        logger.error('a mail was dropped, too many wait already', { kind, waiting: underWay.size });
        return;
      }
      const work = deliver(transport, kind, mail);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    async stop() {
      if (stopping.signal.aborted) return;
      if (underWay.size > 0) logger.warn('mails were not sent before the stop', { count: underWay.size });
      stopping.abort(new OakestraError('unavailable', 'mail-stopped', 'The root stops.'));
    },
  };

  async function deliver(to: MailTransport, kind: MailKind, mail: Mail): Promise<void> {
    try {
      await retry(() => inTurn(() => to.send(mail)), {
        ...{ clock, random, signal: stopping.signal, maxAttempts: MOST_ATTEMPTS },
        ...{ baseMs: FIRST_DELAY_MS, capMs: LONGEST_DELAY_MS },
        isRetryable: (error) => !isFinal(error),
        onRetry: ({ error, attempt, delayMs }) =>
          logger.warn('a mail was not taken, it is tried again', {
            ...{ kind, attempt, delayMs: Math.round(delayMs) },
            ...reasonOf(error),
          }),
      });
      logger.info('a mail was sent', { kind });
    } catch (error) {
      if (!stopping.signal.aborted) logger.error('a mail was not sent', { kind, ...reasonOf(error) });
    }
  }

  async function inTurn(work: () => Promise<void>): Promise<void> {
    if (sending >= CONCURRENT) await new Promise<void>((resolve) => turns.push(resolve));
    else sending += 1;
    try {
      await work();
    } finally {
      const next = turns.shift();
      if (next === undefined) sending -= 1;
      else next();
    }
  }
}

interface SmtpFailure {
  readonly code?: unknown;
  readonly responseCode?: unknown;
  readonly command?: unknown;
}

/** 5xx: the server will not take it however often it is asked. */
function isFinal(error: unknown): boolean {
  const { responseCode } = error as SmtpFailure;
  return typeof responseCode === 'number' && responseCode >= 500;
}

/** Never the message: servers quote what they refuse, and a mail may hold a link that opens an account. */
function reasonOf(error: unknown) {
  const { code, responseCode, command } = error as SmtpFailure;
  return { code, responseCode, command };
}
