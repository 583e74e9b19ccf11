import * as z from 'zod';
import { workerCapacitySchema } from '../fleet-messages.ts';
import { STATUS_WORDS } from '../status.ts';

const id = z.string().regex(/^[0-9a-f]{24}$/);
const time = z.iso.datetime().describe('UTC');

const labels = z.record(z.string(), z.string()).describe('Those that hold');
const setLabels = z
  .record(z.string(), z.string())
  .describe('Those of them that were set here; they win over those of the settings');

export const applicationSchema = z.object({
  id,
  name: z.string(),
  namespace: z.string(),
  description: z.string(),
  ownerUserId: z.string(),
  serviceIds: z.array(id),
});

export const applicationChangesSchema = z.strictObject({
  name: z.string().optional(),
  namespace: z.string().optional(),
  description: z.string().optional(),
});

const rejectionSchema = z.object({
  member: z.enum(['cluster', 'worker']),
  id: z.string(),
  name: z.string().nullable(),
  code: z.string().describe('Stable, such as `memory`, `vcpus`, `runtime`, `cordoned`'),
  reason: z.string().describe('For people'),
  wanted: z.union([z.string(), z.number()]).nullable(),
  available: z.union([z.string(), z.number()]).nullable(),
});

const placementSchema = z.object({
  code: z.string().describe('`placed`, `nobody-there`, `nobody-fits`, `stays`'),
  reason: z.string(),
  rejections: z.array(rejectionSchema).describe('Who was not chosen, and why; the first 50'),
});

export const instanceSchema = z.object({
  serviceId: id,
  number: z.int().min(0),
  status: z.enum(STATUS_WORDS),
  statusDetail: z.string().describe('Why it is so, for people'),
  revision: z.int().min(1).describe('Of the service, when this instance was asked for'),
  placement: placementSchema.nullable().describe('The last decision about its place'),
  clusterId: z.string().nullable(),
  clusterName: z.string().nullable(),
  workerId: z.string().nullable(),
  workerAddress: z.string().nullable(),
  cpuPercent: z.number().nullable().describe('Of the whole machine, 0 to 100'),
  memoryBytes: z.number().nullable(),
  diskBytes: z.number().nullable(),
  references: z
    .array(z.object({ kind: z.enum(['secret', 'config']), name: z.string(), version: z.int().nullable() }))
    .describe('The secrets and configs that it was deployed with'),
  hasNewerVersions: z.boolean().describe('Deployed anew, it would get a newer version of one of them'),
  changedAt: time.nullable(),
});

export const serviceSchema = z.object({
  id,
  applicationId: z.string(),
  name: z.string().describe('Application, its namespace, service, its namespace: `shop.prod.web.prod`'),
  ownerUserId: z.string(),
  status: z.enum(STATUS_WORDS).nullable().describe('Null before the first deployment'),
  statusDetail: z.string(),
  replicas: z.int().min(0).describe('Instances that are wanted'),
  runningReplicas: z.int().min(0),
  instances: z.array(instanceSchema),
  revision: z.int().min(1).describe('Counts the versions of the service'),
  rollout: z
    .object({
      isRollback: z.boolean().describe('The change failed, and this is the way back'),
      desired: z.int().min(0),
      updated: z.int().min(0).describe('Instances of `revision` that run'),
      outdated: z.int().min(0).describe('Instances of other revisions that are still there'),
      startedAt: time,
    })
    .nullable()
    .describe('While the instances are replaced by ones of `revision`'),
  lastRollout: z
    .object({
      outcome: z.enum(['completed', 'rolled-back']),
      revision: z.int().min(1),
      detail: z.string(),
      at: time,
    })
    .nullable()
    .describe('How the last change ended'),
  document: z.record(z.string(), z.unknown()).describe('The microservice of the SLA, as it was submitted'),
});

export const clusterSchema = z.object({
  id,
  name: z.string(),
  location: z.string(),
  address: z.string(),
  isActive: z.boolean(),
  activeWorkers: z.int(),
  vcpus: z.number(),
  memoryMib: z.number().describe('Available memory of all workers'),
  cpuPercent: z.number(),
  memoryPercent: z.number(),
  virtualization: z.array(z.string()),
  labels,
  setLabels,
  availability: z
    .enum(['open', 'cordoned', 'draining', 'removed'])
    .describe('Cordoned: gets nothing new; draining: what it has is moved to others'),
  instanceCount: z.int().describe('Instances that it holds'),
  lastSeenAt: time.nullable(),
});

export const workerSchema = z.object({
  id: z.string(),
  clusterId: id,
  name: z.string(),
  state: z.enum(['up', 'down', 'unknown']).describe('Unknown: its cluster is not connected'),
  labels,
  setLabels,
  capacity: workerCapacitySchema.nullable().describe('Null: it has not been heard of since the root started'),
});

/** Labels to set; null takes back what was set here. */
export const labelChangesSchema = z.strictObject({
  labels: z
    .record(z.string(), z.string().nullable())
    .describe('To set; null takes back what was set here, so that the setting of the machine holds again'),
});

export const EVENT_KINDS = [
  'service-created',
  'service-changed',
  'service-removed',
  'instance-changed',
  'instance-placed',
  'instance-replacing',
  'instance-removed',
  'cluster-up',
  'cluster-down',
] as const;

export const eventSchema = z.object({
  id: z.string().describe('Send it as `Last-Event-ID` to go on after it'),
  at: time,
  kind: z.enum(EVENT_KINDS),
  serviceId: z.string().nullable(),
  instanceNumber: z.int().nullable(),
  clusterId: z.string().nullable(),
  status: z.string().nullable(),
  detail: z.string(),
});

export const meSchema = z.object({
  userId: z.string(),
  userName: z.string(),
  organisationId: z.string(),
  roles: z.array(z.string()),
});

const scopes = z
  .array(z.enum(['read', 'write', 'admin']))
  .min(1)
  .describe('Each includes those before it');

export const newTokenSchema = z.strictObject({
  name: z.string().min(1).max(100),
  scopes,
  expiresAt: time.optional().describe('At most a year ahead; default: in 90 days'),
});

export const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes,
  organisationId: z.string(),
  createdAt: time,
  expiresAt: time,
});

export const createdTokenSchema = tokenSchema.extend({ token: z.string().describe('Shown this once') });

export const auditEntrySchema = z.object({
  id: z.string(),
  at: time,
  actor: z.object({ userId: z.string(), userName: z.string(), address: z.string() }),
  action: z.string().describe('`noun.verb`, such as `user.create`'),
  object: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
  outcome: z.enum(['done', 'refused', 'failed']),
  details: z.record(z.string(), z.unknown()),
});

export const submittedSchema = z.object({ applications: z.array(applicationSchema) });
export const replicasSchema = z.strictObject({ replicas: z.int().min(0).max(10_000) });

export const serviceUpdateSchema = z.strictObject({
  microservice: z
    .record(z.string(), z.unknown())
    .describe('As in an SLA: the service as it is to be, with the name, namespace and addresses that it has'),
  maxUnavailable: z
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe('So many instances may be missing meanwhile. 0: a new one runs before an old one ends'),
  settleSeconds: z.number().min(0).max(3600).optional().describe('A new instance has to run for this long'),
  giveUpSeconds: z
    .number()
    .min(1)
    .max(86_400)
    .optional()
    .describe('Without progress for this long, the service goes back to what it was'),
});

export type ApplicationDocument = z.infer<typeof applicationSchema>;
export type ServiceResource = z.infer<typeof serviceSchema>;
export type InstanceResource = z.infer<typeof instanceSchema>;
export type ClusterResource = z.infer<typeof clusterSchema>;
export type WorkerResource = z.infer<typeof workerSchema>;
export type EventResource = z.infer<typeof eventSchema>;
export type EventKind = (typeof EVENT_KINDS)[number];
