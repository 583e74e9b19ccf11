import * as z from 'zod';
import { epochSchema } from './epoch.ts';
import { changesSchema, digestSchema, pageSchema, syncRequestSchema } from './replication/index.ts';
import { STATUS_WORDS } from './status.ts';

/**
 * What two neighbouring tiers of ours say to each other: the same words between root and cluster (over the link)
 * and between cluster and worker (over MQTT, where `deploy` and `remove` travel inside the compatible messages).
 * Everything may be lost, repeated or late without harm.
 */

const keySchema = z.string().regex(/^[0-9a-f]{24}\/\d{1,15}$/, 'must be <service id>/<instance number>');

export const documentSchema = z.looseObject({
  microserviceID: z.string(),
  applicationID: z.string(),
  job_name: z.string(),
  app_name: z.string(),
  app_ns: z.string(),
  service_name: z.string(),
  service_ns: z.string(),
  virtualization: z.string(),
  image: z.string(),
  code: z.string(),
});

const sealedValueSchema = z.object({ id: z.string(), version: z.int().min(1), base64: z.string() });

/** Run this instance, as this placement. Repeating it is harmless; an older epoch is answered with the newer one. */
export const deployCommandSchema = z.object({
  type: z.literal('deploy'),
  key: keySchema,
  epoch: epochSchema,
  document: documentSchema,
  ownerUserId: z.string(),
  /** Who ran it according to the last report: a receiver that lost its store waits for that one first. */
  lastHolder: z.object({ member: z.string(), epoch: epochSchema }).optional(),
  /** What the secrets and configs stand for that the document refers to. Encrypted wherever it is kept. */
  values: z.array(sealedValueSchema).optional(),
});

/** Stop it and keep it stopped: a tombstone, or the proof that a newer owner exists. Obeyed only when newer. */
export const removeCommandSchema = z.object({
  type: z.literal('remove'),
  key: keySchema,
  epoch: epochSchema,
  reason: z.enum(['tombstone', 'superseded']),
});

/** The confirmation of a removal was kept; the tombstone is no longer needed. */
const forgetCommandSchema = z.object({
  type: z.literal('forget'),
  key: keySchema,
  epoch: epochSchema,
});

/** Tell everything about an instance that the tier above does not know. */
const describeCommandSchema = z.object({ type: z.literal('describe'), key: keySchema });

/**
 * Run this global service on every worker that its selector matches, by yourself; without a document: on none any
 * more. The highest version holds. Repeated for what is withdrawn already: forget it.
 */
const assignCommandSchema = z.object({
  type: z.literal('assign'),
  serviceId: z.string().regex(/^[0-9a-f]{24}$/),
  version: z.int().min(0),
  document: documentSchema.nullable(),
  ownerUserId: z.string(),
});

export const commandSchema = z.union([
  assignCommandSchema,
  deployCommandSchema,
  removeCommandSchema,
  forgetCommandSchema,
  describeCommandSchema,
  syncRequestSchema,
]);
export type DeployCommand = z.infer<typeof deployCommandSchema>;
export type AssignCommand = z.infer<typeof assignCommandSchema>;
export type RemoveCommand = z.infer<typeof removeCommandSchema>;
export type TierCommand = z.infer<typeof commandSchema>;

export const INSTANCE_PHASES = [
  'pending',
  'starting',
  'running',
  'failed',
  'dead',
  'completed',
  'fenced',
  'removed',
] as const;

/** Where an instance was put, or why not, as data. */
const placementNoteSchema = z.object({
  code: z.string(),
  reason: z.string(),
  rejections: z.array(
    z.object({
      member: z.string(),
      code: z.string(),
      reason: z.string(),
      wanted: z.union([z.string(), z.number()]).exactOptional(),
      available: z.union([z.string(), z.number()]).exactOptional(),
    }),
  ),
});

/**
 * What a lower tier reports of one instance. `pending`: no worker yet; `failed`: could not be started; `dead`: ended
 * by itself; `fenced`: stopped by the worker because it lost contact (`on_disconnect: stop-after`); `removed`:
 * nothing is left of it here, up to and including `epoch`.
 */
export const instanceReportSchema = z.object({
  epoch: epochSchema,
  phase: z.enum(INSTANCE_PHASES),
  status: z.enum(STATUS_WORDS),
  detail: z.string(),
  /** How often in a row it could not be started or ended at once. */
  failures: z.int().min(0).optional(),
  workerId: z.string().optional(),
  workerAddress: z.string().optional(),
  /** It lacks values that its document refers to: repeat the order, with them. */
  needsValues: z.boolean().optional(),
  /** With `removed`: it ended because another one has it, it is still wanted. */
  superseded: z.literal(true).optional(),
  /** Unix milliseconds at the reporter. */
  sinceMs: z.number().optional(),
  /** The last decision about its place there, where that is not simply a place. */
  placement: placementNoteSchema.optional(),
});
export type InstancePhase = (typeof INSTANCE_PHASES)[number];
export type InstanceReport = z.infer<typeof instanceReportSchema>;

const describedSchema = z.object({
  type: z.literal('described'),
  key: keySchema,
  epoch: epochSchema,
  document: documentSchema,
  ownerUserId: z.string(),
});

/** Figures that change all the time; never stored, lost without harm. */
export const usageSchema = z.object({
  type: z.literal('usage'),
  rows: z.array(
    z.object({
      key: keySchema,
      /** Percent of the whole machine, 0 to 100. */
      cpuPercent: z.number(),
      memoryBytes: z.number(),
      diskBytes: z.number(),
      /** Where the worker takes traffic of its neighbours. */
      workerPort: z.int().min(1).max(65_535).optional(),
      /** Tail of the output; absent when unchanged. */
      logs: z.string().optional(),
    }),
  ),
});
export type Usage = z.infer<typeof usageSchema>;

/** What a member offers; replaces the previous message. */
export const memberFactsSchema = z.object({
  type: z.literal('facts'),
  /** Logical cores, of all workers together for a cluster. */
  vcpus: z.number(),
  memoryTotalMib: z.number(),
  memoryAvailableMib: z.number(),
  cpuPercent: z.number(),
  memoryPercent: z.number(),
  activeWorkers: z.number(),
  virtualization: z.array(z.string()),
  architectures: z.array(z.string()),
  /** Largest single worker: one instance must fit on one worker. */
  largestWorkerMemoryMib: z.number(),
  largestWorkerVcpus: z.number(),
  /** Of the settings at a cluster; of a worker those that hold. Absent: of a release that knows none. */
  labels: z.record(z.string(), z.string()).optional(),
  /** What the cluster announced when its link opened; absent where nobody asks, such as for a worker. */
  capabilities: z.array(z.string()).optional(),
});
export type MemberFacts = z.infer<typeof memberFactsSchema>;

export const reportSchema = z.discriminatedUnion('type', [
  changesSchema,
  digestSchema,
  pageSchema,
  describedSchema,
  usageSchema,
  memberFactsSchema,
]);
export type TierReport = z.infer<typeof reportSchema>;

/**
 * How each side of a session introduces its store. The upper tier that finds its own counter below what the lower
 * one has seen knows that it was restored from a backup.
 */
export const greetingSchema = z.object({
  incarnation: z.string(),
  boot: z.int().min(0),
  /** Highest epochs ever seen from above, by (root, cluster) component. */
  highestEpoch: epochSchema,
});
export type Greeting = z.infer<typeof greetingSchema>;
