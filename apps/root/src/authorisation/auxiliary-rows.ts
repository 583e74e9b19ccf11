import { ANYBODY, ROOT_ADMINS, USERS_READ } from './lines.ts';
import type { Row } from './row.ts';

/** For machines that watch. From this machine `/metrics` needs no token, which the operations face's own test shows. */
export const operationsRows: readonly Row[] = [
  { route: 'GET /healthz', lines: { all: ANYBODY } },
  { route: 'GET /readyz', lines: { all: ANYBODY } },
  { route: 'GET /metrics', lines: { all: USERS_READ } },
];

const APPLICATIONS = '/api/v1/applications';
const JOBS = '/api/v1/jobs';
const RESOURCES = '/api/v1/resources';

/** It knows no owners, so it is for those who may everything. What the core does not do is 501, for them alone. */
export const abstractorRows: readonly Row[] = [
  { route: 'GET /', lines: { all: ANYBODY } },
  { route: 'GET /status', lines: { all: ANYBODY } },
  { route: 'GET /docs/openapi.json', lines: { all: ANYBODY } },
  ...[
    { route: `GET ${RESOURCES}` },
    { route: `POST ${RESOURCES}`, body: () => ({ candidate_name: 'c9' }), alsoDone: [501] },
    { route: `PUT ${RESOURCES}`, body: () => ({ candidate_name: 'c9' }), alsoDone: [501] },
    { route: `GET ${RESOURCES}/:id` },
    { route: `PATCH ${RESOURCES}/:id`, body: () => ({}), alsoDone: [501] },
    { route: `DELETE ${RESOURCES}/:id`, alsoDone: [501] },
    { route: `GET ${APPLICATIONS}` },
    {
      route: `POST ${APPLICATIONS}`,
      body: () => ({
        application_name: 'created',
        application_namespace: 'test',
        userId: 'root-mate',
      }),
    },
    { route: `GET ${APPLICATIONS}/:id` },
    { route: `PATCH ${APPLICATIONS}/:id`, body: () => ({}), alsoDone: [501] },
    { route: `DELETE ${APPLICATIONS}/:id` },
    { route: `GET ${JOBS}` },
    { route: `POST ${JOBS}`, body: () => ({}), alsoDone: [422] },
    { route: `PUT ${JOBS}`, body: () => ({}), alsoDone: [400] },
    { route: `GET ${JOBS}/:id` },
    { route: `PATCH ${JOBS}/:id`, body: () => ({}), alsoDone: [501] },
    { route: `DELETE ${JOBS}/:id` },
    { route: `GET ${JOBS}/:id/:number` },
    { route: `PUT ${JOBS}/:id/:number`, body: () => ({ instance_list: [{}] }), alsoDone: [400] },
    { route: `PATCH ${JOBS}/:id/:number`, body: () => ({}), alsoDone: [501] },
    { route: `DELETE ${JOBS}/:id/:number` },
    ...['/api/v1/hooks', '/api/v1/custom-resources'].flatMap((path) =>
      ['', '/:first', '/:first/:second'].flatMap((rest) =>
        ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => ({
          route: `${method} ${path}${rest}`,
          alsoDone: [501],
        })),
      ),
    ),
  ].map(
    (row: Omit<Row, 'lines'>): Row => ({
      ...row,
      lines: { foreign: ROOT_ADMINS },
    }),
  ),
];

/** The public key of tokens. */
export const keyRows: readonly Row[] = ['/key', '/health', '/status'].map((path) => ({
  route: `GET ${path}`,
  lines: { all: ANYBODY },
}));
