import type { BenchmarkOptions } from '../options.ts';
import type { BenchmarkReport } from '../report.ts';
export async function measureFootprint(_options: BenchmarkOptions): Promise<BenchmarkReport> {
  throw new Error('later');
}
