import {
  ADMINS,
  ADMINS_LIST_FOREIGN,
  ANYBODY,
  CLASSIC,
  CREATE,
  LOGINS,
  NOBODY_ELSE,
  ROOT_ADMINS,
  USERS_READ,
} from './lines.ts';
import type { Row } from './row.ts';
import { CLUSTER_ID, changedService, newService, PASSWORD, slaOf } from './world.ts';

/** The classic API and its description (root-api 4). */
export const classicRows: readonly Row[] = [
  { route: 'GET /status', lines: { all: ANYBODY } },
  { route: 'GET /docs/openapi.json', lines: { all: ANYBODY } },
  { route: 'GET /api/docs', lines: { all: ANYBODY } },
  { route: 'GET /api/docs/page.js', lines: { all: ANYBODY } },
  { route: 'GET /api/docs/page.css', lines: { all: ANYBODY } },

  {
    route: 'POST /api/auth/login',
    lines: { all: ANYBODY },
    body: () => ({ username: 'root-mate', password: PASSWORD }),
  },
  {
    route: 'POST /api/auth/refresh',
    lines: { all: '! +++ +++++ !!! !!!' },
    withRefreshToken: true,
  },
  {
    route: 'POST /api/auth/register',
    lines: { all: ADMINS },
    body: () => ({ name: 'newcomer', email: '', password: PASSWORD, roles: [] }),
  },
  { route: 'GET /api/user/:username', lines: { own: USERS_READ, shared: NOBODY_ELSE, foreign: NOBODY_ELSE } },
  {
    route: 'GET /api/permission/:username',
    lines: { own: USERS_READ, shared: NOBODY_ELSE, foreign: NOBODY_ELSE },
  },
  {
    route: 'POST /api/user/:username',
    lines: { own: LOGINS, shared: NOBODY_ELSE, foreign: NOBODY_ELSE },
    body: () => ({ oldPassword: PASSWORD, newPassword: `${PASSWORD} again` }),
  },
  {
    route: 'PUT /api/user/:username',
    lines: { own: LOGINS, shared: ADMINS, foreign: ROOT_ADMINS },
    body: () => ({ email: 'elsewhere@example.org' }),
  },
  { route: 'DELETE /api/user/:username', lines: { own: ADMINS, shared: ADMINS, foreign: ROOT_ADMINS } },
  {
    route: 'GET /api/users',
    lines: { own: ADMINS, shared: ADMINS, foreign: ADMINS_LIST_FOREIGN },
    contains: ({ user }) => user.id,
  },
  {
    route: 'GET /api/users/:organisationId',
    lines: { own: ADMINS, foreign: ROOT_ADMINS },
  },
  // The root of this test sends no mails; links are tried by whoever has one.
  {
    route: 'POST /api/user',
    lines: { all: ANYBODY },
    body: () => ({ username: 'root-mate' }),
    alsoDone: [501],
  },
  {
    route: 'PUT /api/user',
    lines: { all: ANYBODY },
    body: () => ({ token: 'x', password: PASSWORD }),
    alsoDone: [400],
  },

  {
    route: 'GET /api/organization',
    lines: { own: ADMINS, foreign: ADMINS_LIST_FOREIGN },
    contains: ({ organisation }) => organisation.id,
  },
  {
    route: 'POST /api/organization',
    lines: { all: ROOT_ADMINS },
    body: () => ({ name: 'newcomers', member: [] }),
  },
  {
    route: 'PUT /api/organization/:id',
    lines: { own: ADMINS, foreign: ROOT_ADMINS },
    body: ({ organisation: { name, members } }) => ({ name, member: members }),
  },
  // Root stays (409).
  {
    route: 'DELETE /api/organization/:id',
    lines: { own: ADMINS, foreign: ROOT_ADMINS },
    alsoDone: [409],
  },

  { route: 'POST /api/application', lines: { all: CREATE }, body: () => slaOf('created') },
  {
    // Your own ones, as old clients expect; what is shared is read one by one.
    route: 'GET /api/application',
    lines: { own: USERS_READ, shared: CLASSIC.read.foreign, foreign: CLASSIC.read.foreign },
    contains: ({ application }) => application.id,
  },
  { route: 'GET /api/application/:id', lines: CLASSIC.read },
  {
    route: 'PUT /api/application/:id',
    lines: CLASSIC.change,
    body: () => ({ application_desc: 'changed' }),
  },
  { route: 'DELETE /api/application/:id', lines: CLASSIC.remove },
  {
    route: 'GET /api/applications',
    lines: { own: ADMINS, shared: ADMINS, foreign: ADMINS_LIST_FOREIGN },
    contains: ({ application }) => application.id,
  },
  {
    // The original answers 401 for the ids of others.
    route: 'GET /api/applications/:userId',
    lines: { own: USERS_READ, shared: '! !!! !!!!! !!! !!!', foreign: '! !!! !!!!! !!! !!!' },
  },

  {
    route: 'POST /api/service',
    lines: CLASSIC.change,
    body: ({ application: { id, name } }) => slaOf(name, { applicationID: id, microservices: [newService] }),
  },
  {
    route: 'GET /api/service',
    lines: { own: USERS_READ, shared: CLASSIC.read.foreign, foreign: CLASSIC.read.foreign },
    contains: ({ application }) => application.serviceId,
  },
  { route: 'GET /api/service/:id', lines: CLASSIC.read },
  // A change of the application.
  {
    route: 'PUT /api/service/:id',
    lines: CLASSIC.change,
    body: ({ application: { name } }) => slaOf(name, { microservices: [changedService] }),
  },
  { route: 'DELETE /api/service/:id', lines: CLASSIC.change },
  {
    route: 'GET /api/services',
    lines: { own: ADMINS, shared: ADMINS, foreign: ADMINS_LIST_FOREIGN },
    contains: ({ application }) => application.serviceId,
  },
  { route: 'GET /api/services/:applicationId', lines: CLASSIC.read },
  { route: 'POST /api/service/:id/instance', lines: CLASSIC.change },
  { route: 'DELETE /api/service/:id/instance/:number', lines: CLASSIC.change },

  { route: 'GET /api/clusters', lines: { all: USERS_READ } },
  { route: 'GET /api/clusters/active', lines: { all: USERS_READ } },

  // Callbacks of machines: certificates and admitted addresses are in classic/callback-routes.test.ts.
  {
    route: 'POST /api/information/:clusterId',
    lines: { all: ROOT_ADMINS },
    body: () => ({ jobs: [] }),
  },
  {
    route: 'POST /api/result/deploy',
    lines: { foreign: ROOT_ADMINS },
    body: ({ application }) => ({ job_id: application.serviceId, candidate_id: CLUSTER_ID }),
  },
];
