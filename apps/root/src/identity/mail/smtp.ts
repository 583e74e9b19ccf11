import { OakestraError, type Sensitive } from '@oakestra/contracts';

/** How mails leave. `tls`: from the first byte (port 465); `starttls`: after a greeting, never without (587). */
export interface MailSettings {
  readonly host: string;
  readonly port: number;
  readonly security: 'tls' | 'starttls' | 'none';
  /** Absent: the server wants no login. */
  readonly user?: string | undefined;
  readonly password?: Sensitive<string> | undefined;
  /** Sender, such as `Oakestra <oakestra@example.org>`. */
  readonly from: string;
  /**
   * Address of the dashboard, such as `https://edge.example.org`, for links. Without it mails tell the path only:
   * an address that a stranger sends along with a request is not put into a mail to somebody else.
   */
  readonly resetUrlBase?: string | undefined;
  /** Authorities to trust (PEM) instead of the public ones. */
  readonly certificateAuthorities?: string | undefined;
}

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Hands one mail to a server. */
export interface MailTransport {
  send(mail: Mail): Promise<void>;
}

const TIMEOUT_MS = 30_000;

/** Rejects settings that would show the password to everybody on the way. */
export function requireUsableMailSettings({ host, security, user, resetUrlBase }: MailSettings): void {
  if (security === 'none' && user !== undefined && !isLoopback(host)) {
    throw new OakestraError(
      'invalid',
      'mail-settings-invalid',
      `Mail security none would send the password to ${host} readable for everybody on the way. Use tls or starttls, or no user.`,
    );
  }
  if (resetUrlBase !== undefined && !/^https?:\/\/[^\s/]/.test(resetUrlBase)) {
    throw new OakestraError(
      'invalid',
      'mail-settings-invalid',
      `The mail setting resetUrlBase must be the address of the dashboard, such as https://edge.example.org, not ${resetUrlBase}.`,
    );
  }
}

/** One connection per mail, as mails are rare. The library is loaded with the first of them. */
export function createSmtpTransport(settings: MailSettings): MailTransport {
  const { host, port, security, user, password, from, certificateAuthorities } = settings;
  return {
    async send({ to, subject, text }) {
      const { createTransport } = await import('nodemailer');
      const transport = createTransport({
        ...{ host, port, secure: security === 'tls' },
        ...{ requireTLS: security === 'starttls', ignoreTLS: security === 'none' },
        ...{ connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS },
        ...(user === undefined ? {} : { auth: { user, pass: password?.reveal() ?? '' } }),
        ...(certificateAuthorities === undefined ? {} : { tls: { ca: certificateAuthorities } }),
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      try {
        // As an object, an address is not parsed: it names one receiver, whatever it contains.
        await transport.sendMail({ from, to: { name: '', address: to }, subject, text });
      } finally {
        transport.close();
      }
    },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
