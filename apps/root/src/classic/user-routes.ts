import { OakestraError } from '@oakestra/contracts';
import {
  passwordChangeRequestSchema,
  passwordResetConfirmationSchema,
  passwordResetRequestSchema,
  registerRequestSchema,
  userChangeRequestSchema,
  userToWire,
} from '@oakestra/contracts/classic';
import { type Identity, isRootAdmin, type Principal } from '../identity/index.ts';
import { checkedBody } from './checked-body.ts';
import { type Call, plain, type Route, text } from './route.ts';

/** Users and permissions (root-api 4.2). No answer holds a password or a hash (Q17). */
export function userRoutes(identity: Identity): Route[] {
  return [
    ...registration(identity),
    ...ownAccount(identity),
    ...administration(identity),
    ...reset(identity),
  ];
}

function registration(identity: Identity): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/auth/register',
      access: 'admin',
      body: 'json',
      async handle(call, caller) {
        const body = checkedBody(
          registerRequestSchema,
          call.body,
          'A new user needs the texts name and password',
        );
        const { name, password, email, roles } = body;
        const user = { name, password, email: email ?? '', roles: roles ?? [] };
        return text(userToWire(await identity.register(user, by(caller, call))));
      },
    },
  ];
}

/** Of the user whom the path names, and of nobody else, administrators included. */
function ownAccount(identity: Identity): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/user/:username',
      access: 'user',
      async handle(call, caller) {
        requireSelf(call, caller);
        const user = await existing(caller.userName);
        return text(userToWire(caller.isMember ? { ...user, roles: caller.roles } : user));
      },
    },
    {
      method: 'POST',
      path: '/api/user/:username',
      access: 'user',
      body: 'json',
      async handle(call, caller) {
        requireSelf(call, caller);
        const needs = 'A change of the password needs the texts oldPassword and newPassword';
        const { oldPassword, newPassword } = checkedBody(passwordChangeRequestSchema, call.body, needs);
        await identity.changePassword({ oldPassword, newPassword }, by(caller, call));
        return plain({});
      },
    },
    {
      method: 'GET',
      path: '/api/permission/:username',
      access: 'user',
      async handle(call, caller) {
        requireSelf(call, caller);
        // Empty without a membership (Q15); the token of a user who is gone is refused earlier.
        return plain({ roles: caller.roles });
      },
    },
    {
      method: 'PUT',
      path: '/api/user/:username',
      access: 'user',
      body: 'json',
      async handle(call, caller) {
        // Administrators may for others; what users may for themselves, the room decides (Q19).
        if (!caller.roles.includes('Admin')) requireSelf(call, caller);
        const userName = call.parameters.username ?? '';
        const body = checkedBody(
          userChangeRequestSchema,
          call.body,
          'A user has the texts email and password',
        );
        if (typeof body.name === 'string' && body.name !== userName) {
          throw new OakestraError('invalid', 'user-invalid', 'name: users keep their name.');
        }
        const changes = {
          email: body.email ?? undefined,
          password: body.password ?? undefined,
          roles: body.roles ?? undefined,
        };
        await identity.updateUser(userName, changes, by(caller, call));
        return text('ok');
      },
    },
  ];

  async function existing(name: string) {
    const user = await identity.userByName(name);
    if (user !== undefined) return user;
    throw new OakestraError('not-found', 'user-not-found', 'User does not exists');
  }
}

function administration(identity: Identity): Route[] {
  /** The role `Admin` of an organisation other than root ends there. */
  const all = async (caller: Principal) => {
    const users = await (isRootAdmin(caller) ? identity.users() : identity.membersOf(caller.organisationId));
    return text(
      users.map(({ id, name, email, createdAtMs }) => userToWire({ id, name, email, createdAtMs })),
    );
  };
  return [
    {
      method: 'DELETE',
      path: '/api/user/:username',
      access: 'admin',
      async handle(call, caller) {
        await identity.removeUser(call.parameters.username ?? '', by(caller, call));
        return all(caller);
      },
    },
    { method: 'GET', path: '/api/users', access: 'admin', handle: (_call, caller) => all(caller) },
    {
      method: 'GET',
      path: '/api/users/:organisationId',
      access: 'admin',
      async handle({ parameters }, caller) {
        if (!isRootAdmin(caller) && parameters.organisationId !== caller.organisationId) throw notYours();
        const members = await identity.membersOf(parameters.organisationId ?? '');
        return text(members.map(userToWire));
      },
    },
  ];
}

function notYours(): OakestraError {
  const message = 'This is another organisation; an administrator of root can do this.';
  return new OakestraError('forbidden', 'role-missing', message);
}

/** A new password by mail (root-api 3.8). */
function reset({ passwordReset }: Pick<Identity, 'passwordReset'>): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/user',
      access: 'public',
      body: 'json',
      async handle({ body, remoteAddress: address }) {
        const needs = 'A request for a new password needs the text username';
        const { username: userName } = checkedBody(passwordResetRequestSchema, body, needs);
        await passwordReset.request({ userName, address });
        return plain({});
      },
    },
    {
      method: 'PUT',
      path: '/api/user',
      access: 'public',
      body: 'json',
      async handle({ body, remoteAddress: address }) {
        const needs = 'A new password needs the texts token and password';
        const { token, password } = checkedBody(passwordResetConfirmationSchema, body, needs);
        await passwordReset.confirm({ token, password, address });
        return plain({});
      },
    },
  ];
}

const by = (caller: Principal, { remoteAddress }: Call) => ({ ...caller, address: remoteAddress });

function requireSelf({ parameters }: Call, caller: Principal): void {
  if (parameters.username === caller.userName) return;
  throw new OakestraError('forbidden', 'role-missing', 'You have not enough permissions!');
}
