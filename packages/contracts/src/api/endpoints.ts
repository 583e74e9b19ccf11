import * as z from 'zod';
import {
  applicationChangesSchema,
  applicationSchema,
  clusterSchema,
  eventSchema,
  instanceSchema,
  meSchema,
  replicasSchema,
  serviceSchema,
  submittedSchema,
} from './documents.ts';
import type { Endpoint } from './endpoint.ts';
import { pageQuery, pageSchemaOf } from './pages.ts';

const sla = z.record(z.string(), z.unknown()).describe('A deployment descriptor (SLA) v2.0');
const text = z.string().max(256).optional();

/** Every operation by its name. Servers map each to a handler, clients to a function. */
export const endpoints = {
  readMe: {
    method: 'GET',
    path: '/me',
    access: 'user',
    summary: 'Who the token speaks for',
    reply: meSchema,
  },
  submitApplications: {
    method: 'POST',
    path: '/applications',
    access: 'user',
    summary: 'Create the applications of an SLA with their services, all or none',
    body: sla,
    takesSla: true,
    reply: submittedSchema,
    status: 201,
  },
  listApplications: {
    method: 'GET',
    path: '/applications',
    access: 'user',
    summary: 'Applications, oldest first',
    query: z.object({ ...pageQuery, name: text, namespace: text }),
    reply: pageSchemaOf(applicationSchema),
  },
  readApplication: {
    method: 'GET',
    path: '/applications/{applicationId}',
    access: 'user',
    summary: 'One application',
    reply: applicationSchema,
  },
  updateApplication: {
    method: 'PATCH',
    path: '/applications/{applicationId}',
    access: 'user',
    summary: 'Change the description, or the name while there are no services',
    body: applicationChangesSchema,
    reply: applicationSchema,
  },
  deleteApplication: {
    method: 'DELETE',
    path: '/applications/{applicationId}',
    access: 'user',
    summary: 'Remove an application with all its services and instances',
  },
  addServices: {
    method: 'POST',
    path: '/applications/{applicationId}/services',
    access: 'user',
    summary: 'Add the services of an SLA to an application, all or none',
    body: sla,
    takesSla: true,
    reply: z.object({ services: z.array(serviceSchema) }),
    status: 201,
  },
  listServices: {
    method: 'GET',
    path: '/services',
    access: 'user',
    summary: 'Services with their instances, by id',
    query: z.object({ ...pageQuery, applicationId: text, name: text, status: text }),
    reply: pageSchemaOf(serviceSchema),
  },
  readService: {
    method: 'GET',
    path: '/services/{serviceId}',
    access: 'user',
    summary: 'One service with its instances',
    reply: serviceSchema,
  },
  deleteService: {
    method: 'DELETE',
    path: '/services/{serviceId}',
    access: 'user',
    summary: 'Remove a service with all its instances',
  },
  setReplicas: {
    method: 'PUT',
    path: '/services/{serviceId}/replicas',
    access: 'user',
    summary: 'How many instances are wanted',
    description: 'Instances that do not run go first when there are too many, then the youngest.',
    body: replicasSchema,
    reply: serviceSchema,
  },
  deployInstance: {
    method: 'POST',
    path: '/services/{serviceId}/instances',
    access: 'user',
    summary: 'Ask for one more instance',
    reply: instanceSchema,
    status: 202,
  },
  readInstance: {
    method: 'GET',
    path: '/services/{serviceId}/instances/{number}',
    access: 'user',
    summary: 'One instance',
    reply: instanceSchema,
  },
  removeInstance: {
    method: 'DELETE',
    path: '/services/{serviceId}/instances/{number}',
    access: 'user',
    summary: 'Stop and remove one instance',
  },
  readInstanceOutput: {
    method: 'GET',
    path: '/services/{serviceId}/instances/{number}/output',
    access: 'user',
    summary: 'The tail of what an instance wrote',
    reply: z.object({ output: z.string() }),
  },
  listInstanceHistory: {
    method: 'GET',
    path: '/services/{serviceId}/instances/{number}/history',
    access: 'user',
    summary: 'What happened to an instance, newest first',
    query: z.object(pageQuery),
    reply: pageSchemaOf(eventSchema),
  },
  listClusters: {
    method: 'GET',
    path: '/clusters',
    access: 'user',
    summary: 'Clusters, by name',
    query: z.object({ ...pageQuery, active: z.enum(['true', 'false']).optional() }),
    reply: pageSchemaOf(clusterSchema),
  },
  readCluster: {
    method: 'GET',
    path: '/clusters/{clusterId}',
    access: 'user',
    summary: 'One cluster',
    reply: clusterSchema,
  },
  followEvents: {
    method: 'GET',
    path: '/events',
    access: 'user',
    summary: 'What happens, as it happens',
    description:
      'Server-sent events. After a disconnect, `Last-Event-ID` continues without a gap; when what was missed is not ' +
      'kept any more, the first event is named `reset`: read the state again.',
    query: z.object({ serviceId: text, after: text.describe('As `Last-Event-ID`') }),
    reply: eventSchema,
    isStream: true,
  },
} as const satisfies Readonly<Record<string, Endpoint>>;

export type Operation = keyof typeof endpoints;
