const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const BY_LOWER_CASE = new Map(Object.entries(UNITS).map(([unit, factor]) => [unit.toLowerCase(), factor]));

/**
 * Reads "64MiB", "1.5 GiB", "500kB", "4096B" or "0" to bytes; the case of the unit does not matter. `undefined` for
 * anything else, also for a number without a unit.
 */
export function parseByteSize(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)$/i.exec(trimmed);
  const factor = BY_LOWER_CASE.get(match?.[2]?.toLowerCase() ?? '');
  if (match === null || factor === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The largest unit that shows the value as a whole number: 67108864 is "64MiB". */
export function formatByteSize(bytes: number): string {
  const whole = Object.entries(UNITS)
    .filter(([, factor]) => bytes >= factor && bytes % factor === 0)
    .sort(([, a], [, b]) => b - a)[0];
  return whole === undefined ? `${bytes}B` : `${bytes / whole[1]}${whole[0]}`;
}
