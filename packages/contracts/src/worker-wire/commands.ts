import * as z from 'zod';
import type { ServiceDocument } from '../documents.ts';
import { epochSchema } from '../epoch.ts';
import { instanceKey, parseInstanceKey } from '../instance-key.ts';
import {
  type DeployCommand,
  deployCommandSchema,
  documentSchema,
  type RemoveCommand,
} from '../tier-messages.ts';

/**
 * The compatible deploy and delete commands (cluster-protocol 5.3), with our part under `oakestra`, which other
 * workers ignore.
 */

/** `control/deploy`: the complete service document with the instance that is meant. */
export function encodeDeploy(command: DeployCommand): string {
  const { serviceId, number } = parseInstanceKey(command.key);
  return JSON.stringify({
    ...command.document,
    _id: serviceId,
    instance_number: number,
    instance_list: [{ instance_number: number, status: 'NODE_SCHEDULED' }],
    oakestra: { epoch: command.epoch, ownerUserId: command.ownerUserId, values: command.values },
  });
}

const deploySchema = documentSchema.extend({
  _id: z.string(),
  instance_number: z.int().min(0),
  instance_list: z.unknown(),
  oakestra: z.object({
    epoch: epochSchema,
    ownerUserId: z.string(),
    values: deployCommandSchema.shape.values,
  }),
});

/** Throws a `ZodError` that names the field when the message is not one of ours. */
export function decodeDeploy(payload: string): DeployCommand {
  const {
    _id,
    instance_number,
    instance_list: _,
    oakestra,
    ...document
  } = deploySchema.parse(JSON.parse(payload));
  return {
    type: 'deploy',
    key: instanceKey(_id, instance_number),
    epoch: oakestra.epoch,
    document: document as ServiceDocument,
    ownerUserId: oakestra.ownerUserId,
    ...(oakestra.values === undefined ? {} : { values: oakestra.values }),
  };
}

/** `control/delete`. `document`: of the instance, for peers that know it by name only. */
export function encodeRemove(command: RemoveCommand, document: ServiceDocument): string {
  const { serviceId, number } = parseInstanceKey(command.key);
  return JSON.stringify({
    job_name: document.job_name,
    virtualization: document.virtualization,
    instance_number: number,
    oakestra: { serviceId, epoch: command.epoch, reason: command.reason },
  });
}

const removeSchema = z.looseObject({
  instance_number: z.int().min(0),
  oakestra: z.object({
    serviceId: z.string(),
    epoch: epochSchema,
    reason: z.enum(['tombstone', 'superseded']),
  }),
});

export function decodeRemove(payload: string): RemoveCommand {
  const { instance_number, oakestra } = removeSchema.parse(JSON.parse(payload));
  return {
    type: 'remove',
    key: instanceKey(oakestra.serviceId, instance_number),
    epoch: oakestra.epoch,
    reason: oakestra.reason,
  };
}
