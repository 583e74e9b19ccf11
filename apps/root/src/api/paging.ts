import { OakestraError } from '@oakestra/contracts';
import type { Page } from '@oakestra/contracts/api';

interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** A position in a list, as clients hand it back to us. */
export function cursorOf(position: string): string {
  return Buffer.from(position).toString('base64url');
}

/** Rejects `query-invalid` for what cannot be one of ours. */
export function positionOf(cursor: string): string {
  const position = Buffer.from(cursor, 'base64url').toString();
  if (position !== '' && cursorOf(position) === cursor) return position;
  throw new OakestraError(
    'invalid',
    'query-invalid',
    'cursor: send `nextCursor` of the page before, unchanged.',
  );
}

/**
 * One page of a list that is in memory, in the order of `positionOfItem` (unique). An item that was removed meanwhile
 * does not hide its successors.
 */
export function pageOf<Item>(
  items: readonly Item[],
  positionOfItem: (item: Item) => string,
  { limit, cursor }: PageRequest,
): Page<Item> {
  const after = cursor === undefined ? undefined : positionOf(cursor);
  const sorted = items
    .map((item) => ({ item, position: positionOfItem(item) }))
    .filter(({ position }) => after === undefined || position > after)
    .sort((a, b) => (a.position < b.position ? -1 : 1));
  const page = sorted.slice(0, limit);
  const isLast = sorted.length <= limit;
  return {
    items: page.map(({ item }) => item),
    nextCursor: isLast ? null : cursorOf(page.at(-1)?.position ?? ''),
  };
}
