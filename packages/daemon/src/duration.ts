const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads "250ms", "10s", "1m30s", "1.5h", "7d" or "0". Units from large to small, each at most once.
 * `undefined` when the text is anything else: a number without a unit is refused, because nobody could know
 * which unit was meant.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(trimmed)) return undefined;
  let totalMs = 0;
  let smallestMs = Number.POSITIVE_INFINITY;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    const unitMs = UNITS_MS[unit ?? ''] ?? Number.NaN;
    if (unitMs >= smallestMs) return undefined;
    smallestMs = unitMs;
    totalMs += Number(amount) * unitMs;
  }
  return Number.isSafeInteger(Math.round(totalMs)) ? Math.round(totalMs) : undefined;
}

/** The shortest form that {@link parseDuration} reads back to the same value: 90000 is "1m30s". */
export function formatDuration(durationMs: number): string {
  let restMs = Math.round(durationMs);
  if (restMs <= 0) return '0s';
  let text = '';
  for (const [unit, unitMs] of Object.entries(UNITS_MS).reverse()) {
    const amount = Math.floor(restMs / unitMs);
    if (amount === 0) continue;
    text += `${amount}${unit}`;
    restMs -= amount * unitMs;
  }
  return text;
}
