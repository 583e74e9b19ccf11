import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import {
  createLogger,
  createManualClock,
  type ManualClock,
  systemDisk,
  systemRandom,
} from '@oakestra/daemon';
import { type Migrations, openSqliteStore, type Store } from '@oakestra/store';
import { type AuditJournal, type AuditSchema, auditMigrations, openAuditJournal } from '../../audit/index.ts';
import type { Identity, IdentityOptions } from '../identity.ts';
import { openIdentity } from '../identity.ts';
import type { Mail } from '../mail/smtp.ts';
import type { Caller } from '../principal.ts';
import { type IdentitySchema, identityMigrations } from '../schema.ts';

export const ADDRESS = '192.0.2.1';
export const ADMIN_PASSWORD = 'correct horse';

/** Making a key takes a second; tests that are not about it share one per file. */
const sharedKey = new Sensitive(
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey,
);

export interface IdentityBench {
  readonly identity: Identity;
  readonly store: Store<IdentitySchema & AuditSchema>;
  readonly audit: AuditJournal;
  readonly clock: ManualClock;
  readonly stateDir: string;
  /** What the transport was given. */
  readonly mails: readonly Mail[];
  log(): string;
  /** Everything as after the first start; the store stays open, as opening one takes most of a second. */
  reset(): Promise<void>;
  open(options?: Partial<IdentityOptions>): Promise<Identity>;
  login(userName?: string, password?: string, organisation?: string): ReturnType<Identity['login']>;
  /** Logs in and proves it. */
  caller(userName?: string, password?: string, organisation?: string): Promise<Caller>;
  /** Member of root with the administrator's password. */
  addUser(name: string, roles?: readonly string[], email?: string): Promise<Caller>;
  close(): Promise<void>;
}

/** A room over a real store, with a journal, and mails that are only collected. `reset` it before each test. */
export async function openIdentityBench(
  options: Partial<IdentityOptions> & {
    /** Default: an embedded store of its own. */
    readonly openStore?: (migrations: Migrations) => Promise<IdentityBench['store']>;
  } = {},
): Promise<IdentityBench> {
  const folder = await mkdtemp(join(tmpdir(), 'oakestra-identity-'));
  const clock = createManualClock();
  const random = systemRandom();
  let logged = '';
  const logger = createLogger({ output: { write: (line) => (logged += line) } });
  const migrations = { ...identityMigrations, ...auditMigrations };
  const path = join(folder, 'root.db');
  const { openStore = () => openSqliteStore({ path, migrations, logger, clock, random }), ...defaults } =
    options;
  const store: IdentityBench['store'] = await openStore(migrations);
  const mails: Mail[] = [];
  const mailTransport = {
    async send(mail: Mail) {
      mails.push(mail);
    },
  };
  let stateDir = folder;
  let audit = await openAuditJournal({ store, clock, random, logger });
  const open = (further: Partial<IdentityOptions> = {}) =>
    openIdentity({
      ...{ store, disk: systemDisk(), stateDir, clock, random, logger, audit, mailTransport },
      ...{ jwtPrivateKey: sharedKey, adminPassword: new Sensitive(ADMIN_PASSWORD) },
      ...defaults,
      ...further,
    });
  let identity = await open();

  const bench: IdentityBench = {
    ...{ store, clock, mails, open },
    get identity() {
      return identity;
    },
    get audit() {
      return audit;
    },
    get stateDir() {
      return stateDir;
    },
    log: () => logged,
    async reset() {
      await identity.stop();
      await audit.settled();
      const { db } = store;
      await store.commit(
        [db.deleteFrom('audit_entries'), db.deleteFrom('users'), db.deleteFrom('organisations')],
        { durability: 'normal' },
      );
      logged = '';
      mails.length = 0;
      stateDir = await mkdtemp(join(folder, 'state-'));
      audit = await openAuditJournal({ store, clock, random, logger });
      identity = await open();
    },
    login: (userName = 'Admin', password = ADMIN_PASSWORD, organisation = 'root') =>
      identity.login({ userName, password, organisation, address: ADDRESS }),
    async caller(userName, password, organisation) {
      const { accessToken } = await bench.login(userName, password, organisation);
      return { ...(await identity.authenticate(accessToken)), address: ADDRESS };
    },
    async addUser(name, roles = [], email = '') {
      await identity.createUser({ name, email, password: ADMIN_PASSWORD, organisation: 'root', roles });
      return bench.caller(name);
    },
    async close() {
      await identity.stop();
      await audit.settled();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return bench;
}
