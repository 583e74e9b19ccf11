import * as z from 'zod';

/** `POST /api/node/register` (cluster-protocol 4.2). Unknown keys are kept; what old workers leave out may be absent. */
export const nodeRegistrationSchema = z.looseObject({
  id: z.string().default(''),
  host: z.string().min(1, 'the host name of the worker'),
  ip: z.string().default(''),
  port: z.string().default(''),
  system_info: z.record(z.string(), z.string()).nullish(),
  cpu_percent: z.number().default(0),
  vcpus: z.number().default(0),
  architecture: z.string().default(''),
  memory_percent: z.number().default(0),
  /** Available, MiB. */
  memory: z.number().default(0),
  virtualization: z.array(z.string()).nullish(),
  supported_addons: z.array(z.string()).nullish(),
  capabilities: z.array(z.string()).optional(),
  /** Of its settings; only our own workers send them. */
  labels: z.record(z.string(), z.string()).optional(),
});
export type NodeRegistration = z.infer<typeof nodeRegistrationSchema>;

/** The answer (cluster-protocol 4.3): both classic values are texts; extra keys are ignored by other workers. */
export const nodeRegistrationAnswerSchema = z.looseObject({
  id: z.string().min(1),
  MQTT_BROKER_PORT: z.string().regex(/^\d+$/, 'must be a port as text'),
  capabilities: z.array(z.string()).optional(),
});
export type NodeRegistrationAnswer = z.infer<typeof nodeRegistrationAnswerSchema>;

/** `nodes/<id>/presence`: said before an orderly stop. */
export const presenceSchema = z.object({
  state: z.literal('restarting'),
  graceMs: z.int().min(0).max(3_600_000),
});
