/** One measured value with what it is compared to in the same run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly reference: { readonly name: string; readonly value: number };
  /** The most that is allowed; absent where nothing is. */
  readonly budget?: number;
}

/** What a benchmark found, for people and for programs. */
export interface BenchmarkReport {
  readonly name: string;
  /** Under which circumstances, in words and numbers. */
  readonly conditions: Readonly<Record<string, string | number>>;
  readonly figures: readonly Figure[];
  /** Further tables for people: where the time goes, single daemons. */
  readonly details: readonly Table[];
}

export interface Table {
  readonly title: string;
  readonly rows: readonly (readonly string[])[];
}

/** The text for people. The first column of a table is aligned to the left, the others to the right. */
export function formatReport({ name, conditions, figures, details }: BenchmarkReport): string {
  const conditionRows = Object.entries(conditions).map(([key, value]) => `  ${key}: ${value}`);
  const figureTable: Table = {
    title: 'Figures',
    rows: [
      ['figure', 'value', 'unit', 'reference', 'of it', 'ratio', 'budget', ''],
      ...figures.map(({ name: figure, value, unit, reference, budget }) => [
        figure,
        shown(value),
        unit,
        reference.name,
        shown(reference.value),
        shown(value / reference.value),
        budget === undefined ? '' : shown(budget),
        budget === undefined ? '' : value <= budget ? 'met' : 'MISSED',
      ]),
    ],
  };
  return [
    `Benchmark "${name}"`,
    ...conditionRows,
    ...[...details, figureTable].map((table) => `\n${formatTable(table)}`),
    '',
  ].join('\n');
}

/** One line for programs. */
export function reportAsJson({ name, conditions, figures }: BenchmarkReport): string {
  return JSON.stringify({
    name,
    conditions,
    figures: figures.map(({ name: figure, unit, value, reference }) => ({
      name: figure,
      unit,
      value: rounded(value),
      reference: { name: reference.name, value: rounded(reference.value) },
      ratio: rounded(value / reference.value),
    })),
  });
}

function formatTable({ title, rows }: Table): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      // A row of one cell is a remark, not a column.
      if (row.length > 1) widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join('  ').trimEnd()}`;
  });
  return [title, ...lines].join('\n');
}

/** Enough digits to compare, and no more. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude >= 1000 || Number.isInteger(value)) return String(Math.round(value));
  if (magnitude >= 100) return value.toFixed(0);
  return magnitude >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
