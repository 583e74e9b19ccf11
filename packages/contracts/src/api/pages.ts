import * as z from 'zod';

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;

/** What each list takes. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(LARGEST_PAGE).default(DEFAULT_PAGE).describe('Entries of a page'),
  cursor: z.string().max(512).optional().describe('`nextCursor` of the page before'),
};

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export function pageSchemaOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().describe('Null on the last page'),
  });
}
