import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { openSqliteStore, type SqliteStoreOptions } from './open-sqlite-store.ts';
import type { Store } from './store.ts';

export interface StoreOptions extends Omit<SqliteStoreOptions, 'path'> {
  /** `postgresql://…` or `postgres://…`; anything else without a scheme, or `sqlite:…`, is the path of a file. */
  readonly url: Sensitive;
}

/** What a URL of a store names; fails (`store-url`) on the scheme of an engine that is not supported. */
function targetOf(url: string): { readonly path: string } | 'postgresql' {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'postgres' || scheme === 'postgresql') {
    return 'postgresql';
  }
  const path = scheme === 'sqlite' ? url.slice('sqlite:'.length).replace(/^\/\/(?=\/|$)/, '') : url;
  if (path.trim() === '' || (scheme !== undefined && scheme !== 'sqlite')) {
    throw new OakestraError(
      'invalid',
      'store-url',
      'The URL of the store names no known engine: use postgresql://user:password@host:port/database, or the ' +
        'path of a file, such as /var/lib/oakestra/root/root.db.',
    );
  }
  return { path };
}

/** Opens a store on the engine that its URL names. The client of PostgreSQL is loaded only where it is used. */
export async function openStore<Schema>({ url, ...options }: StoreOptions): Promise<Store<Schema>> {
  const target = targetOf(url.reveal());
  if (target !== 'postgresql') {
    return await openSqliteStore<Schema>({ ...options, path: target.path });
  }
  const { openPostgresStore } = await import('./open-postgres-store.ts');
  return await openPostgresStore<Schema>({ ...options, url });
}
