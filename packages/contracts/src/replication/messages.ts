import * as z from 'zod';

/**
 * How a lower tier keeps the tier above informed: a sequenced stream of changes to a keyed
 * table, and now and then a digest per bucket; a gap or a differing digest asks for that bucket only, paged.
 */

/** Which life of which store the sequence numbers belong to. */
export const sourceSchema = z.object({
  incarnation: z.string().min(1).max(64),
  /** Rises with each start of the process. */
  boot: z.int().min(0),
});
export type Source = z.infer<typeof sourceSchema>;

/** One row. `value` null: the row was deleted. `sequence` is that of its last change. */
export const rowSchema = z.object({
  key: z.string().min(1).max(256),
  sequence: z.int().min(0),
  hash: z.string().max(16),
  value: z.unknown(),
});
export type Row = z.infer<typeof rowSchema>;

export const changesSchema = z.object({
  type: z.literal('changes'),
  source: sourceSchema,
  /** The sequence number after which these changes come; differs from the receiver's last one after a loss. */
  from: z.int().min(0),
  to: z.int().min(0),
  rows: z.array(rowSchema),
});
export type Changes = z.infer<typeof changesSchema>;

export const digestSchema = z.object({
  type: z.literal('digest'),
  source: sourceSchema,
  sequence: z.int().min(0),
  /** One checksum per bucket; their number is a power of two. */
  buckets: z.array(z.string().max(16)).min(1).max(1024),
  /** Global services that a cluster runs by itself. Absent: it knows none such. */
  assignments: z
    .array(z.object({ serviceId: z.string(), version: z.int().min(0), isActive: z.boolean() }))
    .optional(),
});
export type Digest = z.infer<typeof digestSchema>;

export const pageSchema = z.object({
  type: z.literal('page'),
  source: sourceSchema,
  sequence: z.int().min(0),
  bucketCount: z.int().min(1).max(1024),
  bucket: z.int().min(0),
  /** Rows with keys above `after` … */
  after: z.string(),
  /** … up to and including `until`; null: up to the end of the bucket. */
  until: z.string().nullable(),
  rows: z.array(rowSchema),
});
export type Page = z.infer<typeof pageSchema>;

export const syncRequestSchema = z.discriminatedUnion('want', [
  z.object({ type: z.literal('sync'), want: z.literal('digest') }),
  z.object({
    type: z.literal('sync'),
    want: z.literal('bucket'),
    bucketCount: z.int().min(1).max(1024),
    bucket: z.int().min(0),
    after: z.string(),
  }),
]);
export type SyncRequest = z.infer<typeof syncRequestSchema>;
