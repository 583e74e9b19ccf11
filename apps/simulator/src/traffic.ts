import type { TierCommand, TierReport } from '@oakestra/contracts';

/** Counts what is said between the tiers. */
export interface Traffic {
  /** Everything but signs of life and digests: what should cease when nothing changes. */
  chatter(): number;
  byType(): Readonly<Record<string, number>>;
  count(message: TierCommand | TierReport): void;
}

export function createTraffic(): Traffic {
  const counts: Record<string, number> = {};
  let chatter = 0;
  return {
    chatter: () => chatter,
    byType: () => ({ ...counts }),
    count({ type }) {
      counts[type] = (counts[type] ?? 0) + 1;
      if (type !== 'digest') chatter += 1;
    },
  };
}
