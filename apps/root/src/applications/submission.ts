import { type JsonObject, OakestraError, type ServiceDocument, type Violation } from '@oakestra/contracts';
import { parseSla, type Sla, type SlaApplication, serviceDocumentFrom } from '@oakestra/contracts/sla';

/** A service that is to be registered. `path` is its place in the SLA, for messages. */
export interface PlannedService {
  readonly id: string;
  readonly path: string;
  readonly document: ServiceDocument;
}

export interface PlannedApplication {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly namespace: string;
  /** The submitted fields without services and without those that only we set. */
  readonly document: JsonObject;
  readonly services: readonly PlannedService[];
}

/** The typed SLA, or `sla-invalid` with every violation. */
export function checkedSla(input: unknown): Sla {
  const parsed = parseSla(input);
  if (parsed.ok) return parsed.sla;
  throw slaInvalid(parsed.violations);
}

export function slaInvalid(violations: readonly Violation[]): OakestraError {
  const [first, ...others] = violations;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const message = `The SLA is invalid: ${first?.path} ${first?.message}${more}. Correct it and send it again.`;
  return new OakestraError('invalid', 'sla-invalid', message, { violations });
}

/** What a checked SLA asks for, with ids (root-api 4.4, step 2 and 3). */
export function planApplications(sla: Sla, newId: () => string): PlannedApplication[] {
  return sla.applications.map((application, index) => {
    const path = `applications[${index}]`;
    const id = newId();
    const name = application.application_name;
    const namespace = application.application_namespace;
    const services = planServices({ application, path, target: { id, name, namespace }, newId });
    return { id, path, name, namespace, document: withoutOurs(application), services };
  });
}

export function planServices(source: {
  readonly application: SlaApplication;
  readonly path: string;
  readonly target: { readonly id: string; readonly name: string; readonly namespace: string };
  readonly newId: () => string;
}): PlannedService[] {
  const { application, path, target, newId } = source;
  return application.microservices.map((microservice, index) => {
    const id = newId();
    const ids = { service: id, application: target.id };
    return {
      id,
      path: `${path}.microservices[${index}]`,
      document: serviceDocumentFrom({ application: target, microservice, ids }),
    };
  });
}

const OURS: ReadonlySet<string> = new Set(['_id', 'action', 'applicationID', 'microservices', 'userId']);

function withoutOurs(application: SlaApplication): JsonObject {
  return Object.fromEntries(Object.entries(application).filter(([key]) => !OURS.has(key)));
}
