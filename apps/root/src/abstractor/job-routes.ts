import { type JsonObject, OakestraError } from '@oakestra/contracts';
import { instanceOf, instancesOf } from './job.ts';
import type { JobsPort, StoredDocument } from './ports.ts';
import { type AbstractorRoute, idFrom, matching, notFound, text } from './route.ts';

const PATH = '/api/v1/jobs';

/** Jobs and their instances (root-api 11.3). */
export function jobRoutes(jobs: JobsPort): AbstractorRoute[] {
  return [...wholeJobRoutes(jobs), ...instanceRoutes(jobs)];
}

function wholeJobRoutes(jobs: JobsPort): AbstractorRoute[] {
  return [
    {
      ...{ method: 'GET', path: PATH, access: 'authorized', summary: 'Jobs.' },
      query: { applicationID: 'Id of the application.', job_name: 'Exact full name.' },
      handle: async ({ query }) => text(matching(await jobs.all(), query, ['applicationID', 'job_name'])),
    },
    {
      ...{ method: 'POST', path: PATH, access: 'authorized', summary: 'Adds a job.', body: 'json' },
      handle: async ({ body }) => text(await jobs.insert(body)),
    },
    {
      ...{ method: 'PUT', path: PATH, access: 'authorized', body: 'json' },
      summary: 'Adds the job of this job_name, or merges into it.',
      async handle({ body }) {
        const { _id: id, ...fields } = body;
        const { job_name: name } = fields;
        if (typeof name !== 'string' || name === '')
          throw malformed('job_name must be the full name of a job.');
        return text(await jobs.upsert(name, fields, id === undefined ? undefined : idFrom(String(id))));
      },
    },
    {
      ...{ method: 'GET', path: `${PATH}/:id`, access: 'authorized', summary: 'One job.' },
      handle: async ({ parameters }) => text(await existing(jobs, idFrom(parameters.id))),
    },
    {
      ...{ method: 'PATCH', path: `${PATH}/:id`, access: 'authorized', body: 'json' },
      summary: 'Merges into a job; answers the result, or null.',
      handle: async ({ parameters, body }) => text((await jobs.merge(idFrom(parameters.id), body)) ?? null),
    },
    {
      ...{ method: 'DELETE', path: `${PATH}/:id`, access: 'authorized' },
      summary: 'Removes a job; answers what was removed, or null.',
      handle: async ({ parameters }) => text((await jobs.remove(idFrom(parameters.id))) ?? null),
    },
  ];
}

function instanceRoutes(jobs: JobsPort): AbstractorRoute[] {
  const path = `${PATH}/:id/:number`;
  return [
    {
      ...{ method: 'GET', path, access: 'authorized', summary: 'A job with one of its instances.' },
      async handle({ parameters }) {
        const { id, number } = placeFrom(parameters);
        const job = await existing(jobs, id);
        const instance = instanceOf(job, number);
        if (instance === undefined) throw notFound('instance', `${number} of job ${id}`);
        return text({ ...job, instance_list: [instance] });
      },
    },
    {
      ...{ method: 'PUT', path, access: 'authorized', body: 'json' },
      summary: 'Appends the last entry of instance_list, unless the job has this instance.',
      async handle({ parameters, body }) {
        const { id, number } = placeFrom(parameters);
        const instance = lastInstance(body, number);
        if (instanceOf(await existing(jobs, id), number) !== undefined) {
          throw malformed(`The job has an instance ${number} already.`);
        }
        return text(known(await jobs.addInstance(id, number, instance), id));
      },
    },
    {
      ...{ method: 'PATCH', path, access: 'authorized', body: 'json' },
      summary: 'Merges a report into an instance; answers the job as it was before.',
      async handle({ parameters, body }) {
        const { id, number } = placeFrom(parameters);
        const changed = await jobs.reportInstance(id, number, body);
        if (changed === undefined) throw notFound('instance', `${number} of job ${id}`);
        return text(changed.before);
      },
    },
    {
      ...{ method: 'DELETE', path, access: 'authorized' },
      summary: 'Removes an instance, also when it is gone already; answers the job.',
      async handle({ parameters }) {
        const { id, number } = placeFrom(parameters);
        return text(known(await jobs.removeInstance(id, number), id));
      },
    },
  ];
}

async function existing(jobs: JobsPort, id: string): Promise<StoredDocument> {
  return known(await jobs.find(id), id);
}

function known(job: StoredDocument | undefined, id: string): StoredDocument {
  if (job === undefined) throw notFound('job', id);
  return job;
}

function placeFrom(parameters: Readonly<Record<string, string>>): { id: string; number: number } {
  const id = idFrom(parameters.id);
  const given = parameters.number ?? '';
  if (!/^\d{1,9}$/.test(given))
    throw malformed(`"${given}" is no instance number: give an integer of 0 or more.`);
  return { id, number: Number(given) };
}

function lastInstance(body: JsonObject, number: number): JsonObject {
  const last = instancesOf(body).at(-1);
  if (last === undefined) throw malformed('instance_list must contain the new instance at its end.');
  const given = last.instance_number ?? number;
  if (given !== number) {
    throw malformed(
      `The new instance says that its instance_number is ${JSON.stringify(given)}, not ${number}.`,
    );
  }
  return { ...last, instance_number: number };
}

function malformed(message: string): OakestraError {
  return new OakestraError('invalid', 'request-malformed', message);
}
