import * as z from 'zod';

/** What went wrong, as RFC 9457 has it. `code` is stable and for programs, `detail` for people. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  violations: z
    .array(z.object({ path: z.string(), message: z.string() }))
    .optional()
    .describe('Every rule that the request breaks: where, and why'),
});

export type Problem = z.infer<typeof problemSchema>;
