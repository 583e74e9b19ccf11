import { OakestraError } from '@oakestra/contracts';
import * as z from 'zod';

const cardSchema = z.object({
  /** Differs in every run of every root. */
  boot: z.string(),
  /** `host:port` where the other roots reach it. */
  address: z.string(),
});

/** How a root introduces itself to the others, in the row of the lease. */
export type LeaderCard = z.infer<typeof cardSchema>;

export function writeLeaderCard(card: LeaderCard): string {
  return JSON.stringify(card);
}

/** Throws `leader-unknown` for what no root of ours wrote. */
export function readLeaderCard(text: string): LeaderCard {
  try {
    return cardSchema.parse(JSON.parse(text));
  } catch (cause) {
    const message = 'Something that is no root of this version holds the lease of the leader.';
    throw new OakestraError('unavailable', 'leader-unknown', message, { cause });
  }
}
