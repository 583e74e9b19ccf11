import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { Client } from 'pg';

export interface PostgresAddress {
  /** The URL as it may be shown: no password, no options. */
  readonly shown: string;
  /** What must never be shown. */
  readonly secrets: readonly string[];
  /** Whether what is sent can be read on the way. */
  readonly isInTheClear: boolean;
}

function isOnThisMachine(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Reads the URL as the client will, and does not repeat it where it cannot be read. */
export function readPostgresUrl(url: Sensitive): PostgresAddress {
  const text = url.reveal();
  let client: Client;
  try {
    client = new Client({ connectionString: text });
  } catch {
    // Without the cause, which quotes the URL.
    throw new OakestraError(
      'invalid',
      'store-url',
      'The URL of the store cannot be read. Write postgresql://user:password@host:port/database, with the ' +
        'reserved characters of user and password percent-encoded.',
    );
  }
  const { user, host, port, database, ssl } = client;
  const { password } = client;
  const where = host.startsWith('/') ? encodeURIComponent(host) : host.includes(':') ? `[${host}]` : host;
  const secrets =
    typeof password === 'string' && password !== '' ? [password, encodeURIComponent(password)] : [];
  return {
    shown: `postgresql://${encodeURIComponent(user ?? '')}@${where}:${port}/${database ?? ''}`,
    secrets: [text, ...secrets],
    isInTheClear: !ssl && !isOnThisMachine(host),
  };
}
