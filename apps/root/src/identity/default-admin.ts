import { join } from 'node:path';
import { OakestraError, type Sensitive } from '@oakestra/contracts';
import { type Clock, type Disk, type Logger, newId, type Random } from '@oakestra/daemon';
import { type Accounts, ROLES } from './accounts.ts';
import type { PasswordHasher } from './password-hash.ts';

export const ADMIN_NAME = 'Admin';
export const ROOT_ORGANISATION = 'root';

/** Nothing is shared in it. */
export const isRootOrganisation = (name: string): boolean => name === ROOT_ORGANISATION;
/** Holds a generated password, in the state folder. */
const ADMIN_PASSWORD_FILE = 'admin-password';

const LEGACY_PASSWORD = 'Admin';
/** 32 signs that nobody mistakes for another one; 20 of them are 100 bits. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const PASSWORD_LENGTH = 20;

export interface AdminOptions {
  readonly accounts: Accounts;
  readonly hasher: PasswordHasher;
  readonly disk: Disk;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly adminPassword: Sensitive<string> | undefined;
  readonly useLegacyPassword: boolean;
}

/**
 * Makes sure of the user `Admin`, the organisation `root` and the membership that joins them (root-api 3.5, Q8).
 * What exists stays as it is: a password is only set when the user is created.
 */
export async function ensureAdmin(options: AdminOptions): Promise<void> {
  const { accounts, clock, random } = options;
  const known = await accounts.byName(ADMIN_NAME);
  const organisation = await accounts.organisationByName(ROOT_ORGANISATION);
  const userId = known?.id ?? newId(random);
  const organisationId = organisation?.id ?? newId(random);
  const roles = await accounts.rolesOf(userId, organisationId);
  if (known !== undefined && organisation !== undefined && roles !== undefined) return;
  const passwordHash = known === undefined ? await firstPasswordHash(options) : known.passwordHash;
  const user = { id: userId, name: ADMIN_NAME, email: '', passwordHash, createdAtMs: clock.nowMs() };
  const records = {
    users: known === undefined ? [user] : [],
    organisations: organisation === undefined ? [{ id: organisationId, name: ROOT_ORGANISATION }] : [],
    memberships: roles === undefined ? [{ organisationId, userId, roles: ROLES }] : [],
  };
  try {
    await accounts.add(records);
  } catch (error) {
    if (!(error instanceof OakestraError) || error.code !== 'store-constraint') throw error;
    // Another root of this store had its first start at the same moment: its password counts.
    if (known === undefined) await options.disk.removeFile(join(options.stateDir, ADMIN_PASSWORD_FILE));
    await ensureAdmin(options);
  }
}

async function firstPasswordHash(options: AdminOptions): Promise<string> {
  const { hasher, logger, disk, stateDir, random, adminPassword, useLegacyPassword } = options;
  if (adminPassword !== undefined) return hasher.hash(adminPassword.reveal());
  if (useLegacyPassword) {
    logger.warn('the administrator Admin has the password that everybody knows; change it');
    return hasher.hash(LEGACY_PASSWORD);
  }
  const path = join(stateDir, ADMIN_PASSWORD_FILE);
  const password = randomPassword(random);
  // Before the user: a crash in between leaves a file without user, and the next start replaces it.
  await disk.replaceFile(path, Buffer.from(`${password}\n`), 0o600);
  logger.info('created the administrator Admin; the password is in a file', { path });
  return hasher.hash(password);
}

function randomPassword(random: Random): string {
  return Array.from(random.bytes(PASSWORD_LENGTH), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
