import {
  SEALED_REFERENCES_FIELD,
  Sensitive,
  type ServiceDocument,
  type TierCommand,
} from '@oakestra/contracts';
import { recordingLogger } from '@oakestra/store/testing';
import { expect, it } from 'vitest';
import { createCourier } from './courier.ts';

const id = 'a'.repeat(24);
const reference = (version: number | null, place: object) => ({
  ...{ kind: 'secret', id, name: 'db', version },
  ...place,
});
const deploy = (...references: object[]): TierCommand => ({
  ...{ type: 'deploy', key: `${'1'.repeat(24)}/0`, epoch: { root: 1, cluster: 0 }, ownerUserId: 'u' },
  document: { [SEALED_REFERENCES_FIELD]: references } as unknown as ServiceDocument,
});

it('adds values to deployments alone, each version once, and leaves out what it cannot read', async () => {
  const sent: TierCommand[] = [];
  const logged: string[] = [];
  const courier = createCourier({
    sealedObjects: {
      async content(_id, version) {
        if (version > 2) throw new Error('it is damaged');
        return new Sensitive<Uint8Array>(Buffer.from(`value-${version}`));
      },
    },
    send: (_cluster, command) => sent.push(command) > 0,
    logger: recordingLogger((line) => void logged.push(JSON.stringify(line))),
  });
  const remove = { type: 'remove', key: 'x', epoch: { root: 2, cluster: 0 }, reason: 'tombstone' } as const;
  courier('c1', remove);
  courier('c1', deploy());
  expect(sent, 'what needs no values goes at once, unchanged').toEqual([remove, deploy()]);

  const places = [{ environment: 'A' }, { file: '/a' }];
  const command = deploy(
    ...places.map((place) => reference(2, place)),
    reference(3, { environment: 'B' }),
    reference(null, { environment: 'C' }),
  );
  courier('c1', command);
  await expect.poll(() => sent.length).toBe(3);
  const values = [{ id, version: 2, base64: Buffer.from('value-2').toString('base64') }];
  expect(sent[2]).toEqual({ ...command, values });
  expect(logged).toHaveLength(2);
  expect(logged.join()).not.toContain('value-');
});
