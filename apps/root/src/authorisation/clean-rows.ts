import { ANYBODY, CLEAN, CREATE, LOGINS, ROOT_ADMINS, USERS_CHANGE, USERS_READ } from './lines.ts';
import type { Row } from './row.ts';
import { changedService, newService, slaOf } from './world.ts';

const APPLICATION = '/api/v2/applications/:applicationId';
const SERVICE = '/api/v2/services/:serviceId';
const INSTANCE = `${SERVICE}/instances/:number`;
const CLUSTER = '/api/v2/clusters/:clusterId';

/** The clean API. */
export const cleanRows: readonly Row[] = [
  { route: 'GET /api/v2/openapi.json', lines: { all: ANYBODY } },
  { route: 'GET /api/v2/me', lines: { all: USERS_READ } },
  {
    route: 'POST /api/v2/me/tokens',
    lines: { all: LOGINS },
    body: () => ({ name: 'another', scopes: ['read'] }),
  },
  {
    route: 'GET /api/v2/me/tokens',
    lines: { own: USERS_READ, shared: '! 000 00000 000 000', foreign: '! 000 00000 000 000' },
    contains: ({ user }) => user.tokenId,
  },
  {
    route: 'DELETE /api/v2/me/tokens/:tokenId',
    lines: { own: USERS_CHANGE, shared: '! 000 00000 -00 -00', foreign: '! 000 00000 -00 -00' },
  },
  { route: 'DELETE /api/v2/me/sessions', lines: { all: LOGINS } },
  { route: 'POST /api/v2/signing-key/rotation', lines: { all: ROOT_ADMINS }, body: () => ({}) },
  {
    route: 'GET /api/v2/audit',
    lines: { all: ROOT_ADMINS },
  },

  { route: 'POST /api/v2/applications', lines: { all: CREATE }, body: () => slaOf('created') },
  {
    route: 'GET /api/v2/applications',
    lines: CLEAN.read,
    contains: ({ application }) => application.id,
  },
  { route: `GET ${APPLICATION}`, lines: CLEAN.read },
  { route: `PATCH ${APPLICATION}`, lines: CLEAN.change, body: () => ({ description: 'changed' }) },
  { route: `DELETE ${APPLICATION}`, lines: CLEAN.remove },
  {
    route: `POST ${APPLICATION}/services`,
    lines: CLEAN.change,
    body: ({ application: { name } }) => slaOf(name, { microservices: [newService] }),
  },

  {
    route: 'GET /api/v2/services',
    lines: CLEAN.read,
    contains: ({ application }) => application.serviceId,
  },
  { route: `GET ${SERVICE}`, lines: CLEAN.read },
  // A change of the application.
  {
    route: `PUT ${SERVICE}`,
    lines: CLEAN.change,
    body: () => ({ microservice: changedService }),
  },
  { route: `DELETE ${SERVICE}`, lines: CLEAN.change },
  { route: `PUT ${SERVICE}/replicas`, lines: CLEAN.change, body: () => ({ replicas: 2 }) },
  { route: `POST ${SERVICE}/instances`, lines: CLEAN.change },
  { route: `GET ${INSTANCE}`, lines: CLEAN.read },
  { route: `DELETE ${INSTANCE}`, lines: CLEAN.change },
  { route: `GET ${INSTANCE}/output`, lines: CLEAN.read },
  { route: `GET ${INSTANCE}/history`, lines: CLEAN.read },

  // Shared as applications are.
  ...(['secret', 'config'] as const).flatMap((kind): readonly Row[] => [
    {
      route: `POST /api/v2/${kind}s`,
      lines: { all: CREATE },
      body: () => ({ name: 'created', text: 'x' }),
    },
    {
      route: `GET /api/v2/${kind}s`,
      lines: CLEAN.read,
      contains: (target) => target[`${kind}Id`],
    },
    { route: `GET /api/v2/${kind}s/:${kind}Id`, lines: CLEAN.read },
    { route: `PUT /api/v2/${kind}s/:${kind}Id`, lines: CLEAN.change, body: () => ({ text: 'y' }) },
    { route: `DELETE /api/v2/${kind}s/:${kind}Id`, lines: CLEAN.remove },
  ]),

  { route: 'GET /api/v2/clusters', lines: { all: USERS_READ } },
  { route: `GET ${CLUSTER}`, lines: { all: USERS_READ } },
  { route: `PATCH ${CLUSTER}`, lines: { all: ROOT_ADMINS }, body: () => ({ labels: { zone: 'north' } }) },
  ...['POST', 'DELETE'].flatMap((method): Row[] => [
    { route: `${method} ${CLUSTER}/cordon`, lines: { all: ROOT_ADMINS } },
    { route: `${method} ${CLUSTER}/drain`, lines: { all: ROOT_ADMINS } },
  ]),
  { route: `DELETE ${CLUSTER}`, lines: { all: ROOT_ADMINS } },
  { route: `POST ${CLUSTER}/admission`, lines: { all: ROOT_ADMINS } },
  { route: `GET ${CLUSTER}/workers`, lines: { all: USERS_READ } },
  { route: `GET ${CLUSTER}/workers/:workerId`, lines: { all: USERS_READ } },
  {
    route: `PATCH ${CLUSTER}/workers/:workerId`,
    lines: { all: ROOT_ADMINS },
    body: () => ({ labels: { zone: 'north' } }),
  },
  {
    route: 'GET /api/v2/events',
    lines: CLEAN.read,
    contains: ({ application }) => application.serviceId,
    isStream: true,
  },
];
