import type { AuditJournal } from '../audit/index.ts';
import type { SomeHandlers } from './handlers.ts';

/** Pages of the journal are not larger than it gives them. */
const LARGEST_PAGE = 500;

export function auditHandlers(audit: Pick<AuditJournal, 'read'>): SomeHandlers<'listAudit'> {
  return {
    async listAudit({ query }) {
      const { cursor, userName, action, objectKind, objectId, from, until } = query;
      const { entries, next } = await audit.read({
        limit: Math.min(query.limit, LARGEST_PAGE),
        ...(cursor === undefined ? {} : { cursor }),
        ...(userName === undefined ? {} : { userName }),
        ...(action === undefined ? {} : { action }),
        ...(objectKind === undefined
          ? {}
          : { object: { kind: objectKind, ...(objectId === undefined ? {} : { id: objectId }) } }),
        ...(from === undefined ? {} : { fromMs: Date.parse(from) }),
        ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
      });
      return {
        items: entries.map(({ atMs, ...entry }) => ({ ...entry, at: new Date(atMs).toISOString() })),
        nextCursor: next ?? null,
      };
    },
  };
}
