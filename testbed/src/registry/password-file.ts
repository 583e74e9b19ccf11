import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { OakestraError } from '@oakestra/contracts';
import type { RegistryCredentials } from '../images/index.ts';
import { runCommand } from '../processes/index.ts';

/** The registry takes bcrypt hashes only, which the C library makes; Perl, part of every Debian, calls it. */
const HASH = 'my $password = <STDIN>; chomp $password; print crypt($password, $ARGV[0])';

const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Writes an htpasswd file (mode 0600) with one user. */
export async function writePasswordFile(
  file: string,
  { username, password }: RegistryCredentials,
): Promise<void> {
  const salt = Array.from(randomBytes(21), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
  const { stdout } = await runCommand('perl', ['-e', HASH, `$2y$05$${salt}u`], {
    input: `${password.reveal()}\n`,
  });
  if (!stdout.startsWith('$2y$')) {
    throw new OakestraError(
      'unsupported',
      'bcrypt-missing',
      "The C library of this machine makes no bcrypt hashes, which the registry's password file needs.",
    );
  }
  await writeFile(file, `${username}:${stdout.trim()}\n`, { mode: 0o600 });
}
