import type { SealedObjects } from '../sealed-objects/index.ts';
import { type PlannedApplication, type PlannedService, slaInvalid } from './submission.ts';

/** Whose application it is, and where it was created. */
interface Scope {
  readonly ownerUserId: string;
  readonly organisationId: string | undefined;
}

/** The secrets and configs that services refer to. Both reject `sla-invalid` with every reference to nothing. */
export interface References {
  ofServices(planned: readonly PlannedService[], scope: Scope): Promise<PlannedService[]>;
  ofApplications(planned: readonly PlannedApplication[], scope: Scope): Promise<PlannedApplication[]>;
}

export function createReferences(sealedObjects: Pick<SealedObjects, 'resolve'> | undefined): References {
  const ofServices: References['ofServices'] = async (planned, { ownerUserId, organisationId }) => {
    const { documents, violations } = (await sealedObjects?.resolve(planned, {
      ownerUserId,
      organisationId,
    })) ?? { documents: [], violations: planned.flatMap(refused) };
    if (violations.length > 0) throw slaInvalid(violations);
    return planned.map((service, index) => ({ ...service, document: documents[index] ?? service.document }));
  };
  return {
    ofServices,
    async ofApplications(planned, scope) {
      const resolved = await ofServices(
        planned.flatMap(({ services }) => services),
        scope,
      );
      const byId = new Map(resolved.map((service) => [service.id, service]));
      return planned.map((application) => ({
        ...application,
        services: application.services.map((service) => byId.get(service.id) ?? service),
      }));
    },
  };
}

function refused({ path, document }: PlannedService) {
  return (['secrets', 'configs'] as const)
    .filter((field) => Array.isArray(document[field]) && document[field].length > 0)
    .map((field) => ({ path: `${path}.${field}`, message: 'is not possible here' }));
}
