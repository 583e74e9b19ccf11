import { SEALED_REFERENCES_FIELD, type SealedReference, type ServiceDocument } from '@oakestra/contracts';
import type { Schedule } from '@oakestra/ownership';
import type { ServiceRecord } from '@oakestra/root';
import type { SeededRandom } from './virtual/random.ts';

const SECRET: SealedReference = {
  ...{ kind: 'secret', id: 'c'.repeat(24), name: 'db', version: 1, environment: 'DB' },
};

/** One service of each policy; the one without any needs a secret. */
export const ALL_POLICIES: readonly Partial<ServiceDocument>[] = [
  { [SEALED_REFERENCES_FIELD]: [SECRET] },
  { on_disconnect: 'wait' },
  { on_disconnect: 'stop-after 6' },
  { one_shot: true },
  { one_shot: true, one_shot_delivery: 'at-most-once' },
];

/** The service number `index`, registered for the `generation`th time: users do that again after a loss. */
export function serviceOf(
  extra: Partial<ServiceDocument>,
  index: number,
  generation: number,
): Omit<ServiceRecord, 'nextInstanceNumber'> {
  const id = (generation * 1000 + index).toString(16).padStart(24, '0');
  return {
    id,
    ownerUserId: 'u',
    document: {
      microserviceID: id,
      applicationID: 'a',
      job_name: jobNameOf(index),
      app_name: 'app',
      app_ns: 'ns',
      service_name: `s${index}`,
      service_ns: 'ns',
      virtualization: 'docker',
      image: 'i',
      code: 'i',
      ...extra,
    },
  };
}

export function jobNameOf(index: number): string {
  return `app.ns.s${index}.ns`;
}

/** Any member will do: the more varied the placements, the more is tried. */
export function randomFit(random: SeededRandom): Schedule {
  return ({ candidates }) =>
    candidates.length === 0
      ? { kind: 'none', status: 'NoActiveClusterWithCapacity', detail: 'nobody is there' }
      : { kind: 'chosen', member: random.pick(candidates).id, reason: 'random' };
}
