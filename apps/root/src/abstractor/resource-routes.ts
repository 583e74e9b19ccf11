import { type JsonObject, OakestraError } from '@oakestra/contracts';
import { checkCandidate, itemView, listView, readFlag } from './candidate.ts';
import type { JobsPort, ResourcesPort } from './ports.ts';
import { type AbstractorRoute, empty, idFrom, matching, notFound, plain } from './route.ts';

const PATH = '/api/v1/resources';

/** Candidates (root-api 11.1). */
export function resourceRoutes(resources: ResourcesPort, jobs: Pick<JobsPort, 'find'>): AbstractorRoute[] {
  return [
    {
      ...{
        method: 'GET',
        path: PATH,
        access: 'authorized',
        summary: 'Candidates, with the canonical fields.',
      },
      query: {
        active: 'true: only those that were heard of within 30 s.',
        candidate_name: 'Exact name.',
        ip: 'Exact address.',
        job_id: 'Must be the id of a job.',
        resources: 'Further fields, separated by commas.',
      },
      async handle({ query }) {
        const isActiveOnly = query.active !== undefined && flagFrom('active', query.active);
        if (query.job_id !== undefined) {
          const jobId = idFrom(query.job_id);
          if ((await jobs.find(jobId)) === undefined) throw notFound('job', jobId);
        }
        const further = (query.resources ?? '').split(',').map((name) => name.trim());
        const candidates = (await resources.all()).filter(({ isActive }) => isActive || !isActiveOnly);
        const activity = new Map(candidates.map(({ document, isActive }) => [document._id, isActive]));
        const documents = candidates.map(({ document }) => document);
        return plain(
          matching(documents, query, ['candidate_name', 'ip']).map((document) =>
            listView(document, activity.get(document._id) === true, further),
          ),
        );
      },
    },
    {
      ...{ method: 'POST', path: PATH, access: 'authorized', summary: 'Adds a candidate.', body: 'json' },
      async handle({ body }) {
        return plain(itemView((await resources.insert(checked(body))).document), 201);
      },
    },
    {
      ...{ method: 'PUT', path: PATH, access: 'authorized', body: 'json' },
      summary: 'Adds the candidate of this candidate_name, or merges into it.',
      async handle({ body }) {
        const fields = checked(body);
        const { candidate_name: name } = fields;
        if (typeof name !== 'string' || name === '') throw invalid({ candidate_name: ['is required here'] });
        return plain(itemView((await resources.upsert(name, fields)).document));
      },
    },
    {
      ...{ method: 'GET', path: `${PATH}/:id`, access: 'authorized', summary: 'One candidate.' },
      async handle({ parameters }) {
        const id = idFrom(parameters.id);
        const found = await resources.find(id);
        if (found === undefined) throw notFound('resource', id);
        return plain(itemView(found.document));
      },
    },
    {
      ...{ method: 'PATCH', path: `${PATH}/:id`, access: 'authorized', body: 'json' },
      summary: 'Merges a report into a candidate; an unknown one is answered with an empty object.',
      async handle({ parameters, body }) {
        const id = idFromPatch(parameters.id);
        const found = await resources.report(id, checked(body));
        return plain(found === undefined ? {} : itemView(found.document));
      },
    },
    {
      ...{ method: 'DELETE', path: `${PATH}/:id`, access: 'authorized', summary: 'Removes a candidate.' },
      async handle({ parameters }) {
        await resources.remove(idFrom(parameters.id));
        return empty(204);
      },
    },
  ];
}

function checked(body: JsonObject): JsonObject {
  const outcome = checkCandidate(body);
  if (outcome.ok) return outcome.fields;
  const { violations } = outcome;
  const list = violations.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw new OakestraError('invalid', 'resource-invalid', `The resource is invalid: ${list}.`, { violations });
}

function flagFrom(name: string, value: string): boolean {
  const flag = readFlag(value);
  if (flag === undefined) throw invalid({ [name]: ['must be true or false'] });
  return flag;
}

/** The one place where the original calls its details so (root-api 11.1). */
function invalid(details: Readonly<Record<string, readonly string[]>>): OakestraError {
  const [first] = Object.entries(details).map(([name, reasons]) => `${name} ${reasons.join(', ')}`);
  return new OakestraError('invalid', 'input-invalid', `Invalid input: ${first}`, { details });
}

/** The original answers 404 here and nowhere else. */
function idFromPatch(value: string | undefined): string {
  try {
    return idFrom(value);
  } catch {
    throw notFound('resource', String(value));
  }
}
