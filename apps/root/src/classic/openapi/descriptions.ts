import type { JsonObject } from '@oakestra/contracts';
import {
  loginRequestSchema,
  organisationRequestSchema,
  passwordChangeRequestSchema,
  passwordResetConfirmationSchema,
  passwordResetRequestSchema,
  registerRequestSchema,
  userChangeRequestSchema,
} from '@oakestra/contracts/classic';
import { openApiSchemaOf } from '@oakestra/contracts/sla';

/** What a body holds: the deployment descriptor, or a schema. */
export type RequestBody = 'sla' | JsonObject;

export interface Description {
  readonly tag:
    | 'Login'
    | 'Users'
    | 'Organisations'
    | 'Applications'
    | 'Services'
    | 'Clusters'
    | 'Callbacks'
    | 'State';
  readonly summary: string;
  /** What a success answers, in words. */
  readonly reply: string;
  readonly request?: RequestBody;
}

const USERS = 'Users without passwords, as text.';
const APPLICATIONS = 'All applications of the caller, the oldest first, encoded twice.';
const SERVICES = 'Services with their instances, encoded twice.';

const REPORT: JsonObject = {
  type: 'object',
  required: ['jobs'],
  description: 'Sums and means over the workers, and all jobs with their instances.',
  properties: { jobs: { type: 'array', items: { type: 'object' } } },
};
const SCHEDULER_RESULT: JsonObject = {
  type: 'object',
  required: ['job_id'],
  properties: {
    job_id: { type: 'string' },
    candidate_id: { type: 'string', description: 'The cluster; absent when none was found.' },
    status: { type: 'string', description: 'Why none was found.' },
  },
};

/** Every endpoint of the classic interface in words, by method and path (root-api 4). */
export function classicDescriptions(): Readonly<Record<string, Description>> {
  return {
    'GET /status': { tag: 'State', summary: 'Whether the root answers.', reply: 'The state.' },
    ...loginDescriptions(),
    ...userDescriptions(),
    ...organisationDescriptions(),
    ...APPLICATION_DESCRIPTIONS,
    ...SERVICE_DESCRIPTIONS,
    'GET /api/clusters': {
      tag: 'Clusters',
      summary: 'All registered clusters.',
      reply: 'Clusters, as text.',
    },
    'POST /api/information/:clusterId': {
      ...{
        tag: 'Callbacks',
        summary: 'The complete report of a cluster of the original.',
        reply: 'The word ok.',
      },
      request: REPORT,
    },
    'POST /api/result/deploy': {
      ...{ tag: 'Callbacks', summary: 'The decision of a scheduler of the original.', reply: 'The word ok.' },
      request: SCHEDULER_RESULT,
    },
    'GET /api/clusters/active': {
      ...{ tag: 'Clusters', summary: 'The clusters that are connected.', reply: 'Clusters, as text.' },
    },
  };
}

function loginDescriptions(): Record<string, Description> {
  return {
    'POST /api/auth/login': {
      ...{ tag: 'Login', summary: 'Logs in; without an organisation in the one named root.' },
      ...{ request: openApiSchemaOf(loginRequestSchema), reply: 'token and refresh_token.' },
    },
    'POST /api/auth/refresh': {
      ...{ tag: 'Login', summary: 'A new access token for a refresh token in the header.', reply: 'token.' },
    },
    'POST /api/auth/register': {
      ...{ tag: 'Users', summary: 'Adds a user to the organisation of the caller.' },
      ...{ request: openApiSchemaOf(registerRequestSchema), reply: 'The user, as text.' },
    },
  };
}

function userDescriptions(): Record<string, Description> {
  return {
    'GET /api/permission/:username': {
      ...{ tag: 'Users', summary: 'Roles of the caller in the organisation of the token.', reply: 'roles.' },
    },
    'GET /api/user/:username': { tag: 'Users', summary: 'The own account.', reply: 'The user, as text.' },
    'POST /api/user/:username': {
      ...{ tag: 'Users', summary: 'Changes the own password.', reply: 'An empty object.' },
      request: openApiSchemaOf(passwordChangeRequestSchema),
    },
    'PUT /api/user/:username': {
      ...{ tag: 'Users', summary: 'Changes a user; roles replace those in the organisation of the caller.' },
      ...{ request: openApiSchemaOf(userChangeRequestSchema), reply: 'The text "ok".' },
    },
    'DELETE /api/user/:username': { tag: 'Users', summary: 'Removes a user.', reply: USERS },
    'GET /api/users': { tag: 'Users', summary: 'All users.', reply: USERS },
    'GET /api/users/:organisationId': {
      ...{ tag: 'Users', summary: 'The members of an organisation with their roles.', reply: USERS },
    },
    'POST /api/user': {
      ...{ tag: 'Users', summary: 'Asks for a mail that allows a new password.', reply: 'An empty object.' },
      request: openApiSchemaOf(passwordResetRequestSchema),
    },
    'PUT /api/user': {
      ...{
        tag: 'Users',
        summary: 'Sets a new password with the token of that mail.',
        reply: 'An empty object.',
      },
      request: openApiSchemaOf(passwordResetConfirmationSchema),
    },
  };
}

function organisationDescriptions(): Record<string, Description> {
  const request = openApiSchemaOf(organisationRequestSchema);
  return {
    'GET /api/organization': {
      ...{ tag: 'Organisations', summary: 'All organisations.', reply: 'Organisations, encoded twice.' },
    },
    'POST /api/organization': {
      ...{ tag: 'Organisations', summary: 'Adds an organisation.', reply: 'Its id, encoded twice.', request },
    },
    'PUT /api/organization/:id': {
      ...{ tag: 'Organisations', summary: 'Changes an organisation.', reply: 'A message.', request },
    },
    'DELETE /api/organization/:id': {
      ...{ tag: 'Organisations', summary: 'Removes an organisation.', reply: 'A message.' },
    },
  };
}

const APPLICATION_DESCRIPTIONS: Record<string, Description> = {
  'POST /api/application': {
    ...{ tag: 'Applications', summary: 'Creates every application of an SLA with its services, or nothing.' },
    ...{ request: 'sla', reply: APPLICATIONS },
  },
  'GET /api/application': { tag: 'Applications', summary: 'The own applications.', reply: APPLICATIONS },
  'GET /api/application/:id': {
    tag: 'Applications',
    summary: 'An own application.',
    reply: 'The application.',
  },
  'PUT /api/application/:id': {
    ...{
      tag: 'Applications',
      summary: 'Changes an own application; absent fields stay.',
      reply: 'A message.',
    },
    request: {
      type: 'object',
      properties: {
        application_name: { type: 'string' },
        application_namespace: { type: 'string' },
        application_desc: { type: 'string' },
      },
    },
  },
  'DELETE /api/application/:id': {
    ...{ tag: 'Applications', summary: 'Removes an own application and its services.', reply: 'A message.' },
  },
  'GET /api/applications': {
    ...{
      tag: 'Applications',
      summary: 'The applications of all users.',
      reply: 'Applications, encoded twice.',
    },
  },
  'GET /api/applications/:userId': {
    ...{ tag: 'Applications', summary: 'The own applications, by the own id.', reply: APPLICATIONS },
  },
};

const SERVICE_DESCRIPTIONS: Record<string, Description> = {
  'POST /api/service': {
    ...{ tag: 'Services', summary: 'Adds services to the own application that applicationID names.' },
    ...{ request: 'sla', reply: 'job_id, deployed_services and failed_services.' },
  },
  'GET /api/service': { tag: 'Services', summary: 'The own services.', reply: SERVICES },
  'GET /api/service/:id': {
    tag: 'Services',
    summary: 'An own service.',
    reply: 'The service, encoded twice.',
  },
  'PUT /api/service/:id': {
    ...{ tag: 'Services', summary: 'Changes an own service.', request: 'sla', reply: 'An empty object.' },
  },
  'DELETE /api/service/:id': {
    ...{ tag: 'Services', summary: 'Removes an own service and its instances.', reply: 'A message.' },
  },
  'GET /api/services': { tag: 'Services', summary: 'The services of all users.', reply: SERVICES },
  'GET /api/services/:applicationId': {
    ...{ tag: 'Services', summary: 'The services of an own application.', reply: SERVICES },
  },
  'POST /api/service/:id/instance': {
    ...{
      tag: 'Services',
      summary: 'Asks for one more instance.',
      reply: 'A message; the rest happens by itself.',
    },
  },
  'DELETE /api/service/:id/instance/:number': {
    ...{ tag: 'Services', summary: 'Removes an instance; -1 removes all.', reply: 'A message.' },
  },
};
