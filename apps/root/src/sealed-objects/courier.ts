import {
  MOST_SEALED_BYTES,
  messageOf,
  type SealedReference,
  type SealedValue,
  sealedReferencesOf,
  sealedVersionKey,
  type TierCommand,
} from '@oakestra/contracts';
import { createOvertaking, type Logger } from '@oakestra/daemon';
import type { SealedObjects } from './sealed-objects.ts';

type Send = (clusterId: string, command: TierCommand) => boolean;

/**
 * Gives a deploy command the values that its document refers to, at the last moment before it leaves. Whatever cannot be
 * read stays out: the cluster may have it, and says so when it does not.
 */
export function createCourier(options: {
  readonly sealedObjects: Pick<SealedObjects, 'content'>;
  readonly send: Send;
  readonly logger: Logger;
}): Send {
  const { sealedObjects, send, logger } = options;

  const valuesOf = async (references: readonly SealedReference[]): Promise<SealedValue[]> => {
    const values: SealedValue[] = [];
    let bytes = 0;
    for (const { id, version, kind, name } of uniqueVersions(references)) {
      try {
        if (version === null) throw new Error(`this root has no ${kind} "${name}"`);
        const content = (await sealedObjects.content(id, version)).reveal();
        bytes += content.length;
        if (bytes > MOST_SEALED_BYTES)
          throw new Error(`all together have more than ${MOST_SEALED_BYTES} bytes`);
        values.push({ id, version, base64: Buffer.from(content).toString('base64') });
      } catch (error) {
        logger.warn(`a ${kind} of a service cannot be sent`, {
          object: id,
          version,
          reason: messageOf(error),
        });
      }
    }
    return values;
  };

  const leaving = createOvertaking();

  return (clusterId, command) => {
    const references = command.type === 'deploy' ? sealedReferencesOf(command.document) : [];
    if (command.type !== 'deploy' || references.length === 0) {
      if ('key' in command) leaving.passes(`${clusterId} ${command.key}`);
      return send(clusterId, command);
    }
    const mayLeave = leaving.waits(`${clusterId} ${command.key}`);
    valuesOf(references)
      .then((values) => {
        if (mayLeave()) send(clusterId, { ...command, values });
      })
      .catch((error: unknown) => {
        logger.error('a command could not be sent', { cluster: clusterId, reason: messageOf(error) });
      });
    // Whether it left is not known yet; what does not arrive is said again.
    return true;
  };
}

function uniqueVersions(references: readonly SealedReference[]): SealedReference[] {
  return [...new Map(references.map((reference) => [sealedVersionKey(reference), reference])).values()];
}
