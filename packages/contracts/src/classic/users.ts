import * as z from 'zod';
import type { JsonObject } from '../documents.ts';
import { wireId } from './documents.ts';

export interface ClassicUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** Unix milliseconds. */
  readonly createdAtMs: number;
  /** In the organisation in whose context the user is shown; absent without one. */
  readonly roles?: readonly string[] | undefined;
}

/** A user as the compatible interface shows it (root-api 4.2), without any password (Q17). */
export function userToWire(user: ClassicUser): JsonObject {
  return {
    _id: wireId(user.id),
    name: user.name,
    email: user.email,
    created_at: classicDate(user.createdAtMs),
    ...(user.roles === undefined ? {} : { roles: user.roles }),
  };
}

/** `dd/mm/YYYY HH:MM` (root-api 3.5), in UTC as the original's containers. */
function classicDate(atMs: number): string {
  const date = new Date(atMs);
  const two = (part: number) => String(part).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${two(date.getUTCMonth() + 1)}/${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

export interface ClassicOrganisation {
  readonly id: string;
  readonly name: string;
  readonly members: readonly { readonly userId: string; readonly roles: readonly string[] }[];
}

/** An organisation as the compatible interface shows it (root-api 3.7, 4.3). */
export function organisationToWire({ id, name, members }: ClassicOrganisation): JsonObject {
  const member = members.map(({ userId, roles }) => ({ user_id: userId, roles }));
  return { _id: wireId(id), name, member };
}

const roles = z.array(z.string());
/** Old clients send null for what they do not know. */
const absent = <T extends z.ZodType>(schema: T) => schema.nullish();

/**
 * Body of `POST /api/auth/register` (root-api 4.2). `_id` and `created_at` are ignored: the root knows better.
 * That texts must not be empty is decided where users are made.
 */
export const registerRequestSchema = z.looseObject({
  name: z.string(),
  email: absent(z.string()),
  password: z.string(),
  roles: absent(roles),
});

/** Body of `PUT /api/user/<name>`: every field may be absent; clients send the whole document back. */
export const userChangeRequestSchema = z.looseObject({
  name: absent(z.string()),
  email: absent(z.string()),
  password: absent(z.string()),
  roles: absent(roles),
});

/** Body of `POST /api/user/<name>`. */
export const passwordChangeRequestSchema = z.looseObject({
  oldPassword: z.string(),
  newPassword: z.string(),
});

/** Body of `POST /api/user`. `domain` is not trusted: see the setting of the address for links (Q13). */
export const passwordResetRequestSchema = z.looseObject({ username: z.string() });

/** Body of `PUT /api/user`: what the link carried, and the new password. */
export const passwordResetConfirmationSchema = z.looseObject({ token: z.string(), password: z.string() });

/** Body of `POST /api/organization` and `PUT /api/organization/<id>`; without members there are none (Q6). */
export const organisationRequestSchema = z.looseObject({
  name: absent(z.string()),
  member: absent(z.array(z.looseObject({ user_id: z.string(), roles: absent(roles) }))),
});

export type OrganisationRequest = z.infer<typeof organisationRequestSchema>;
