import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and text as they arrived. */
  readonly source: string;
  readonly isSecure: boolean;
  readonly user: string | undefined;
}

export interface TestSmtpServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Answers the next mails with this code, as often as told. */
  refuse(responseCode: number, times: number): void;
  /** How often a mail was brought, taken or not. */
  readonly attempts: () => number;
  close(): Promise<void>;
}

/** A real SMTP server on loopback, for one user with one password. */
export async function startSmtpServer(
  options: SMTPServerOptions & { readonly user?: string; readonly password?: string },
): Promise<TestSmtpServer> {
  const { user, password, ...rest } = options;
  const received: ReceivedMail[] = [];
  let attempts = 0;
  let refusal = { code: 0, times: 0 };
  const server = new SMTPServer({
    authOptional: user === undefined,
    logger: false,
    onAuth(auth, _session, callback) {
      if (auth.username === user && auth.password === password) callback(null, { user: auth.username });
      else callback(new Error('Invalid username or password'));
    },
    onData(stream, session, callback) {
      attempts += 1;
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const source = Buffer.concat(chunks).toString();
        if (refusal.times > 0) {
          refusal = { ...refusal, times: refusal.times - 1 };
          // As real servers do, it quotes what it refuses.
          callback(Object.assign(new Error(`refused: ${source}`), { responseCode: refusal.code }));
          return;
        }
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          source,
          isSecure: session.secure,
          user: session.user,
        });
        callback();
      });
    },
    ...rest,
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    refuse(code, times) {
      refusal = { code, times };
    },
    attempts: () => attempts,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
