import { OakestraError } from '@oakestra/contracts';
import { ROLES } from './accounts.ts';

export const LONGEST_NAME = 256;
export const LONGEST_PASSWORD = 1024;
const LONGEST_EMAIL = 254;
const EMAIL = /^[^\s@<>",;:]+@[^\s@<>",;:]+$/;
/** Line ends and the like would forge log lines and mail headers. */
const CONTROL = /\p{Cc}/u;

/** All reject `user-invalid`. */
export function requireName(name: string): void {
  if (name.trim() !== '' && name.length <= LONGEST_NAME && !CONTROL.test(name)) return;
  throw userInvalid(`name: a user needs a name of up to ${LONGEST_NAME} printable characters.`);
}

export function requirePassword(password: string): void {
  if (password !== '' && password.length <= LONGEST_PASSWORD) return;
  throw userInvalid(`password: a user needs a password of up to ${LONGEST_PASSWORD} characters.`);
}

/** Empty: the user gets no mails. */
export function requireEmail(email: string): void {
  if (email === '' || (email.length <= LONGEST_EMAIL && EMAIL.test(email))) return;
  throw userInvalid('email: must be an address such as bob@example.org, or empty.');
}

export function requireRoles(roles: readonly string[]): void {
  const unknown = roles.filter((role) => !(ROLES as readonly string[]).includes(role));
  if (unknown.length === 0) return;
  throw userInvalid(`roles: there is no role ${unknown.join(', ')}; there are ${ROLES.join(', ')}.`);
}

function userInvalid(message: string): OakestraError {
  return new OakestraError('invalid', 'user-invalid', message);
}
