import * as z from 'zod';
import { readPortMappings } from '../port-mapping.ts';
import { parseDisconnectPolicy } from './disconnect-policy.ts';
import { amount, flag, integer, list, name, nonEmptyText, record, text, texts } from './rules.ts';
import { configReference, secretReference } from './sealed-objects.ts';
import { canonicalServiceAddressV4, canonicalServiceAddressV6 } from './service-address.ts';

/** Seconds between the stop signal and SIGKILL when a service does not say. */
export const DEFAULT_STOP_GRACE_SECONDS = 10;
const LONGEST_STOP_GRACE_SECONDS = 3600;

const port = text('must be text such as "6080:80/tcp" (a number needs quotes)').superRefine(
  (value, context) => {
    for (const message of readPortMappings(value).faults) context.addIssue({ code: 'custom', message });
  },
);

/** A name as every shell, runtime and worker takes it; anything may follow the first "=". */
const environmentEntry = text('must be text of the form NAME=value').regex(/^[^=\s]+=/, {
  error: 'must have the form NAME=value',
});

const onDisconnect = text(
  'must be "replace", "wait" or "stop-after <seconds>" (such as "stop-after 30")',
).refine((value) => parseDisconnectPolicy(value) !== undefined, {
  error: 'must be "replace", "wait" or "stop-after <seconds>" (such as "stop-after 30")',
});

const stopGraceRule = `must be an integer from 0 to ${LONGEST_STOP_GRACE_SECONDS} (seconds)`;
const stopGraceSeconds = z
  .int({ error: stopGraceRule })
  .min(0, { error: stopGraceRule })
  .max(LONGEST_STOP_GRACE_SECONDS, { error: stopGraceRule });

const serviceAddress = text().refine(
  (value) => value === '' || canonicalServiceAddressV4(value) !== undefined,
  { error: 'must be an address of the form 10.30.x.y' },
);
const serviceAddressV6 = text().refine(
  (value) => value === '' || canonicalServiceAddressV6(value) !== undefined,
  { error: 'must be an IPv6 address that begins with fdff:20xx (such as fdff:2000::1)' },
);

const addresses = record({
  rr_ip: serviceAddress.describe('Wished service address 10.30.x.y.').optional(),
  rr_ip_v6: serviceAddressV6.describe('Wished service address fdff:20xx:...').optional(),
  closest_ip: text().optional(),
  closest_ip_v6: text().optional(),
  instances: list(
    record({ from: text().optional(), to: text().optional(), start: text().optional() }),
  ).optional(),
});

const constraint = record({
  type: text(),
  cluster: text().optional(),
  node: text().optional(),
  area: text().optional(),
  location: text().optional(),
  threshold: amount('ms for latency, km for geo').optional(),
  rigidness: amount('share of the requests').optional(),
  convergence_time: integer(0, 'seconds').optional(),
  needs: texts().optional(),
  allowed: texts().optional(),
});

const connection = record({
  target_microservice_id: text(),
  con_constraints: list(
    record({
      type: text(),
      threshold: amount('ms or kbit/s'),
      rigidness: amount('share of the requests'),
      convergence_time: integer(0, 'seconds'),
    }),
  ),
});

const volume = record({
  volume_id: nonEmptyText('must name the volume'),
  csi_driver: nonEmptyText('must name the CSI driver, such as csi.oakestra.io/hostpath'),
  mount_path: text()
    .regex(/^$|^\//, { error: 'must be an absolute path inside the container' })
    .optional(),
  config: z
    .record(z.string(), text('must be text (the worker passes it on as text)'), {
      error: 'must be an object',
    })
    .optional(),
});

const labelSelector = z.record(z.string(), text(), { error: 'must be an object of labels' });

const override = record({
  cluster: text().describe('Name of a cluster; absent: all.').optional(),
  worker: text().describe('Name of a worker; absent: all.').optional(),
  environment: z.array(environmentEntry, { error: 'must be a list of texts NAME=value' }).optional(),
  code: nonEmptyText('must name the image').optional(),
  cmd: texts().optional(),
  memory: integer(0, 'MB').optional(),
  vcpus: integer(0, 'cores').optional(),
});

const microservice = record({
  microservice_name: name(),
  microservice_namespace: name(),
  virtualization: nonEmptyText('must name the kind of isolation, such as "container"').describe(
    'container (stored as docker), unikernel, or the name of a runtime that workers offer.',
  ),
  code: nonEmptyText('must name the image, such as "docker.io/library/nginx:latest"').describe(
    'The image; of a unikernel one URL per entry of arch, separated by commas.',
  ),
  microserviceID: text().max(0, { error: 'must be absent or empty (the root gives the id)' }).optional(),
  cmd: texts().optional(),
  args: texts().optional(),
  environment: z
    .array(environmentEntry, { error: 'must be a list of texts NAME=value' })
    .describe('Entries NAME=value.')
    .optional(),
  memory: integer(0, 'MB').optional(),
  vcpus: integer(0, 'cores').optional(),
  vgpus: integer(0, 'GPUs').optional(),
  vtpus: integer(0, 'TPUs').optional(),
  bandwidth_in: integer(0, 'kbit/s').optional(),
  bandwidth_out: integer(0, 'kbit/s').optional(),
  storage: integer(0, 'MB').optional(),
  state: text().optional(),
  port: port
    .describe('Published ports, host[:container][/tcp|/udp] separated by ";", such as "6080:80/tcp".')
    .optional(),
  one_shot: flag().optional(),
  privileged: flag().optional(),
  sla_violation_strategy: text().optional(),
  target_node: text().optional(),
  added_files: texts().optional(),
  addresses: addresses.optional(),
  constraints: list(constraint).optional(),
  connectivity: list(connection).optional(),
  volumes: list(volume).optional(),
  arch: texts().describe('Required for a unikernel, such as ["amd64"].').optional(),
  vm_images: texts().optional(),
  platform: text().optional(),
  description: text().optional(),
  on_disconnect: onDisconnect.describe('replace (default), wait, or stop-after <seconds>.').optional(),
  one_shot_delivery: z
    .enum(['at-least-once', 'at-most-once'], { error: 'must be "at-least-once" or "at-most-once"' })
    .optional(),
  stop_grace_seconds: stopGraceSeconds.optional(),
  mode: z
    .enum(['replicated', 'global'], { error: 'must be "replicated" or "global"' })
    .describe('replicated (default), or global: one instance on every worker that the selector matches.')
    .optional(),
  selector: record({ cluster: labelSelector.optional(), worker: labelSelector.optional() })
    .describe('Labels that clusters and workers must have to run a global service.')
    .optional(),
  overrides: list(override)
    .describe('What a global service has otherwise on some clusters or workers; later ones win.')
    .optional(),
  secrets: list(secretReference).describe('Secrets that it gets, as variables or as files.').optional(),
  configs: list(configReference).describe('Configs that it gets, as variables or as files.').optional(),
});

const application = record({
  application_name: name(),
  application_namespace: name(),
  application_desc: text().optional(),
  applicationID: text().optional(),
  microservices: list(microservice),
});

/**
 * A deployment descriptor (SLA) of version 2.0 (root-api 5). Unknown fields are allowed and kept at every level;
 * `null` is not a value. Beyond the original, of a service: `on_disconnect`, `one_shot_delivery` (default
 * `at-least-once`), `stop_grace_seconds`, `mode` (default `replicated`) with `selector` and `overrides`, `secrets`
 * and `configs`.
 */
export const slaSchema = record({
  sla_version: z.literal('v2.0', { error: 'must be "v2.0", the version that this root speaks' }),
  customerID: text(),
  applications: list(application),
  args: texts().optional(),
});

export type Sla = z.infer<typeof slaSchema>;
export type SlaApplication = z.infer<typeof application>;
export type SlaMicroservice = z.infer<typeof microservice>;
