/** The value below which `share` (0 to 1) of the values lie, between two neighbours interpolated. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error('a quantile needs at least one value');
  const position = (sorted.length - 1) * share;
  const lower = Math.floor(position);
  const below = sorted[lower] as number;
  const above = sorted[Math.min(lower + 1, sorted.length - 1)] as number;
  return below + (above - below) * (position - lower);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
