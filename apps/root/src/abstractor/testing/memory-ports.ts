import type { JsonObject } from '@oakestra/contracts';
import { withReport } from '../candidate.ts';
import { withInstance, withInstanceReport, withoutInstance } from '../job.ts';
import type { AbstractorPorts, CandidateRecord, StoredDocument } from '../ports.ts';

/** A collection of documents as the original keeps them. */
function createCollection(newId: () => string) {
  const documents = new Map<string, StoredDocument>();
  return {
    all: async () => [...documents.values()],
    find: async (id: string) => documents.get(id),
    async insert(fields: JsonObject, id = newId()) {
      const document = { ...fields, _id: id };
      documents.set(id, document);
      return document;
    },
    async change(id: string, change: (document: StoredDocument) => JsonObject | undefined) {
      const before = documents.get(id);
      const after = before === undefined ? undefined : change(before);
      if (before === undefined || after === undefined) return undefined;
      const document = { ...after, _id: id };
      documents.set(id, document);
      return { before, document };
    },
    async remove(id: string) {
      const document = documents.get(id);
      documents.delete(id);
      return document;
    },
  };
}

export function createMemoryPorts(nowMs: () => number): AbstractorPorts {
  let given = 0;
  const newId = () => {
    given += 1;
    return given.toString(16).padStart(24, '0');
  };
  const [candidates, applications, jobs] = [newId, newId, newId].map(createCollection) as [
    ReturnType<typeof createCollection>,
    ReturnType<typeof createCollection>,
    ReturnType<typeof createCollection>,
  ];
  const recordOf = (document: StoredDocument): CandidateRecord => {
    const { last_modified_timestamp: heardAt } = document;
    return { document, isActive: typeof heardAt === 'number' && heardAt > nowMs() / 1000 - 30 };
  };
  const byName = async (collection: typeof jobs, field: string, name: string) =>
    (await collection.all()).find((document) => document[field] === name);

  return {
    resources: {
      all: async () => (await candidates.all()).map(recordOf),
      async find(id) {
        const document = await candidates.find(id);
        return document === undefined ? undefined : recordOf(document);
      },
      insert: async (fields) => recordOf(await candidates.insert(fields)),
      async upsert(name, fields) {
        const present = await byName(candidates, 'candidate_name', name);
        if (present === undefined) return recordOf(await candidates.insert(fields));
        const changed = await candidates.change(present._id, (document) => ({ ...document, ...fields }));
        return recordOf(changed?.document ?? present);
      },
      async report(id, fields) {
        const changed = await candidates.change(id, (document) => withReport(document, fields, nowMs()));
        return changed === undefined ? undefined : recordOf(changed.document);
      },
      async remove(id) {
        await candidates.remove(id);
      },
    },
    applications: {
      all: applications.all,
      find: applications.find,
      async insert(fields) {
        const id = newId();
        return applications.insert({ ...fields, applicationID: id }, id);
      },
      merge: async (id, fields) =>
        (await applications.change(id, (document) => ({ ...document, ...fields })))?.document,
      remove: applications.remove,
    },
    jobs: {
      all: jobs.all,
      find: jobs.find,
      insert: (fields) => jobs.insert(fields),
      async upsert(jobName, fields, id) {
        const present = await byName(jobs, 'job_name', jobName);
        if (present === undefined) return jobs.insert(fields, id);
        const changed = await jobs.change(present._id, (document) => ({ ...document, ...fields }));
        return changed?.document ?? present;
      },
      merge: async (id, fields) =>
        (await jobs.change(id, (document) => ({ ...document, ...fields })))?.document,
      remove: jobs.remove,
      addInstance: async (id, _number, instance) =>
        (await jobs.change(id, (document) => withInstance(document, instance)))?.document,
      reportInstance: (id, number, fields) =>
        jobs.change(id, (document) => withInstanceReport(document, number, fields, nowMs())),
      removeInstance: async (id, number) =>
        (await jobs.change(id, (document) => withoutInstance(document, number)))?.document,
    },
  };
}
