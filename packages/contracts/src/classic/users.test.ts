import { describe, expect, it } from 'vitest';
import {
  organisationRequestSchema,
  organisationToWire,
  registerRequestSchema,
  userChangeRequestSchema,
  userToWire,
} from './users.ts';

const user = { id: 'a'.repeat(24), name: 'bob', email: '', createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 59) };

describe('users on the compatible interface (root-api 4.2)', () => {
  it('have a date as clients parse it, and roles only in an organisation', () => {
    const shown = { _id: { $oid: user.id }, name: 'bob', email: '', created_at: '02/01/2026 03:04' };
    expect(userToWire(user)).toEqual(shown);
    expect(userToWire({ ...user, roles: [] })).toEqual({ ...shown, roles: [] });
  });

  it('never carry more than that, whatever is handed in', () => {
    const account = { ...user, passwordHash: '$argon2id$…' };
    expect(Object.keys(userToWire(account)).sort()).toEqual(['_id', 'created_at', 'email', 'name']);
  });

  it('are asked for leniently where old clients are vague, and strictly where it matters', () => {
    const body = { name: 'x', password: 'y' };
    expect(registerRequestSchema.safeParse({ ...body, _id: { $oid: '' }, email: null }).success).toBe(true);
    expect(registerRequestSchema.safeParse({ ...body, roles: 'Admin' }).success).toBe(false);
    expect(registerRequestSchema.safeParse({ name: 'x' }).success).toBe(false);
    expect(userChangeRequestSchema.safeParse({}).success).toBe(true);
    expect(userChangeRequestSchema.safeParse({ email: 1 }).success).toBe(false);
  });
});

describe('organisations on the compatible interface (root-api 4.3)', () => {
  it('name their members by id', () => {
    const members = [{ userId: user.id, roles: ['Admin'] }];
    expect(organisationToWire({ id: 'b'.repeat(24), name: 'acme', members })).toEqual({
      ...{ _id: { $oid: 'b'.repeat(24) }, name: 'acme' },
      member: [{ user_id: user.id, roles: ['Admin'] }],
    });
  });

  it('may come without members (Q6), but not with members without id', () => {
    expect(organisationRequestSchema.safeParse({ name: 'acme', member: null }).success).toBe(true);
    expect(organisationRequestSchema.safeParse({ name: 'acme', member: [{}] }).success).toBe(false);
  });
});
