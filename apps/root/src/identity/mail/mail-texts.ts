import type { Mail } from './smtp.ts';

export type MailKind = 'registration' | 'account-updated' | 'password-reset';

/** What mails say (root-api 3.8). No password is ever in one. */
export function registrationMail(user: {
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
}): Mail {
  return {
    to: user.email,
    subject: 'Your Oakestra account',
    text: lines(
      `Hello ${user.name},`,
      `an administrator created an Oakestra account for you. Your user name is ${user.name}.`,
      `Roles: ${rolesText(user.roles)}.`,
      'You get the password from the administrator; change it after the first login.',
    ),
  };
}

export function accountUpdatedMail(user: {
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
}): Mail {
  return {
    to: user.email,
    subject: 'Your Oakestra account was changed',
    text: lines(
      `Hello ${user.name},`,
      'your Oakestra account was changed.',
      `Roles: ${rolesText(user.roles)}.`,
      'If you did not expect this, tell an administrator.',
    ),
  };
}

export function passwordResetMail(reset: {
  readonly name: string;
  readonly email: string;
  readonly token: string;
  readonly hours: number;
  readonly urlBase: string | undefined;
}): Mail {
  const path = `/resetPassword/${reset.token}`;
  const link =
    reset.urlBase === undefined
      ? `Open this page of your dashboard to choose a new one:\n\n${path}`
      : `Open this page to choose a new one:\n\n${reset.urlBase.replace(/\/+$/, '')}${path}`;
  return {
    to: reset.email,
    subject: 'A new password for your Oakestra account',
    text: lines(
      `Hello ${reset.name},`,
      `somebody asked for a new password for your account. ${link}`,
      `The link works once, for ${reset.hours} hours.`,
      'If it was not you, ignore this mail: nothing was changed.',
    ),
  };
}

function rolesText(roles: readonly string[]): string {
  return roles.length === 0 ? 'none' : roles.join(', ');
}

function lines(...paragraphs: readonly string[]): string {
  return `${paragraphs.join('\n\n')}\n`;
}
