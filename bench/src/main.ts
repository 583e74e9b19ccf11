import { messageOf, OakestraError } from '@oakestra/contracts';
import { measureApi } from './api/index.ts';
import { measureDeploy } from './deploy/index.ts';
import { measureFootprint } from './footprint/index.ts';
import { type BenchmarkOptions, parseOptions } from './options.ts';
import { type BenchmarkReport, formatReport, reportAsJson } from './report.ts';
import { runInOwnNetwork } from './system/index.ts';

const BENCHMARK: Readonly<
  Record<BenchmarkOptions['benchmark'], (options: BenchmarkOptions) => Promise<BenchmarkReport>>
> = { api: measureApi, deploy: measureDeploy, footprint: measureFootprint };

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const exitCode = await runInOwnNetwork();
  if (exitCode !== undefined) return exitCode;
  const report = await BENCHMARK[options.benchmark](options);
  process.stdout.write(formatReport(report));
  if (options.isJson) process.stdout.write(`${reportAsJson(report)}\n`);
  return 0;
}

main().then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    const isOurs = error instanceof OakestraError;
    process.stderr.write(
      `${isOurs ? messageOf(error) : error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exitCode = isOurs && error.kind === 'invalid' ? 2 : 1;
  },
);
