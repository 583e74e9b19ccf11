import { OakestraError, Sensitive } from '@oakestra/contracts';
import type { MailSettings } from './identity/index.ts';
import type { RootSettings } from './settings.ts';

export const sensitive = (text: string | undefined): Sensitive<string> | undefined =>
  text === undefined ? undefined : new Sensitive(text);

/** Undefined: no mails are sent. Rejects `mail-sender-missing`. */
export function mailSettings(settings: RootSettings): MailSettings | undefined {
  const { mailHost: host, mailPort: port, mailSecurity: security, mailUser: user, mailFrom } = settings;
  if (host === undefined) return undefined;
  const from = mailFrom ?? user;
  if (from === undefined) {
    const message =
      'mail-from is missing: mails need a sender. Set it, or mail-user, or leave mail-host out.';
    throw new OakestraError('invalid', 'mail-sender-missing', message);
  }
  const password = sensitive(settings.mailPassword);
  return { host, port, security, user, password, from, resetUrlBase: settings.mailLinkBase };
}
