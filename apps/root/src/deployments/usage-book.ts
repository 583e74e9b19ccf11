import type { Usage } from '@oakestra/contracts';

export type UsageRow = Usage['rows'][number];

/** The newest figures of each instance: never stored, lost without harm. */
export interface UsageBook {
  /** Takes over what a cluster says of instances; the caller says which of them it holds. */
  keep(rows: readonly UsageRow[], isHolder: (key: string) => boolean): void;
  of(key: string): UsageRow | undefined;
  forget(key: string): void;
}

/** Workers send 1 KiB of output; nobody may fill our memory with more. */
const LONGEST_LOGS = 8 * 1024;

export function createUsageBook(): UsageBook {
  const rows = new Map<string, UsageRow>();
  return {
    keep(incoming, isHolder) {
      for (const row of incoming) {
        if (!isHolder(row.key)) continue;
        // Absent: unchanged.
        const logs = row.logs ?? rows.get(row.key)?.logs;
        rows.set(row.key, logs === undefined ? row : { ...row, logs: logs.slice(-LONGEST_LOGS) });
      }
    },
    of: (key) => rows.get(key),
    forget: (key) => void rows.delete(key),
  };
}
