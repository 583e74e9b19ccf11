import * as z from 'zod';
import { labelFault, MOST_LABELS } from './labels.ts';
import { changesSchema, digestSchema, pageSchema, syncRequestSchema } from './replication/index.ts';

/** Labels that came from somebody: every rule that they break is named. */
export const labelsSchema = z.record(z.string(), z.string()).superRefine((labels, context) => {
  const entries = Object.entries(labels);
  if (entries.length > MOST_LABELS) {
    context.addIssue({ code: 'custom', message: `may have at most ${MOST_LABELS} labels` });
  }
  for (const [name, value] of entries) {
    const message = labelFault(name, value);
    if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
  }
});

/** Both ends say at the opening of a link that they speak of workers. */
export const FLEET_CAPABILITY = 'fleet-1';

/**
 * Labels of a worker that were set over the API of the root. Whoever has the higher version is right: so a change
 * reaches a cluster that was away, and a root that lost its store learns from below.
 */
const labelOverrideSchema = z.object({
  version: z.int().min(0),
  labels: z.record(z.string(), z.string()),
});
export type LabelOverride = z.infer<typeof labelOverrideSchema>;

/** What a worker has, and how busy it is. */
export const workerCapacitySchema = z.object({
  vcpus: z.number(),
  memoryTotalMib: z.number(),
  memoryAvailableMib: z.number(),
  cpuPercent: z.number(),
  memoryPercent: z.number(),
  virtualization: z.array(z.string()),
  architectures: z.array(z.string()),
});

/** What a cluster says of one of its workers. */
export const workerRowSchema = z.object({
  name: z.string(),
  isUp: z.boolean(),
  /** From the settings of the worker. */
  ownLabels: z.record(z.string(), z.string()),
  override: labelOverrideSchema,
  /** Null: it has not said since the cluster started. */
  capacity: workerCapacitySchema.nullable(),
});
export type WorkerRow = z.infer<typeof workerRowSchema>;

/** Cluster to root: the table of its workers, one row each, replicated like that of the instances. */
export const fleetReportSchema = z.object({
  type: z.literal('workers'),
  table: z.discriminatedUnion('type', [changesSchema, digestSchema, pageSchema]),
});
export type FleetReport = z.infer<typeof fleetReportSchema>;

/** Root to cluster. */
export const fleetCommandSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('workers-sync'), request: syncRequestSchema }),
  z.object({ type: z.literal('label-worker'), workerId: z.string(), override: labelOverrideSchema }),
  /** This cluster was removed from the root: it gets nothing any more, and what it has is being stopped. */
  z.object({ type: z.literal('removed') }),
]);
export type FleetCommand = z.infer<typeof fleetCommandSchema>;

const FLEET_TYPES: ReadonlySet<string> = new Set(['workers', 'workers-sync', 'label-worker', 'removed']);

/** Does a message of this type speak of the fleet, and not of instances? */
export const isFleetMessage = (type: string): boolean => FLEET_TYPES.has(type);
