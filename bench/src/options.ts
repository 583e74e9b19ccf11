import { OakestraError } from '@oakestra/contracts';

export const BENCHMARKS = ['api', 'deploy', 'footprint'] as const;

export interface BenchmarkOptions {
  readonly benchmark: (typeof BENCHMARKS)[number];
  /** Also print the result as one line of JSON, at the end. */
  readonly isJson: boolean;
  /** Deployments that are measured one by one; default 50. */
  readonly runs: number;
  /** Instances of the burst; default 100. */
  readonly burst: number;
  /** How long daemons are left alone before their footprint is taken; default 60. */
  readonly settleSeconds: number;
  /** How long processor time, writes and traffic are counted; default 60. */
  readonly windowSeconds: number;
}

const USAGE = `Usage: npm run bench -- <${BENCHMARKS.join(' | ')}> [--json]
  api        Requests per second and latency of a root alone, with 10,000 services.
  deploy     How long it takes from POST to RUNNING, beside "ctr run -d"; bursts; undeploying.
               [--runs 50] [--burst 100]
  footprint  Memory, processor time, disk and traffic of the daemons.
               [--settle-seconds 60] [--window-seconds 60]
`;

const NUMBERS = {
  '--runs': 'runs',
  '--burst': 'burst',
  '--settle-seconds': 'settleSeconds',
  '--window-seconds': 'windowSeconds',
} as const;

/** Fails with `bench-usage`. */
export function parseOptions(argv: readonly string[]): BenchmarkOptions {
  const numbers = { runs: 50, burst: 100, settleSeconds: 60, windowSeconds: 60 };
  let benchmark: BenchmarkOptions['benchmark'] | undefined;
  let isJson = false;
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] as string;
    const known = BENCHMARKS.find((name) => name === word);
    if (known !== undefined && benchmark === undefined) benchmark = known;
    else if (word === '--json') isJson = true;
    else if (word in NUMBERS) {
      index += 1;
      const text = argv[index] ?? '';
      if (!/^[1-9]\d{0,5}$/.test(text)) throw misuse(`${word} needs a number of 1 or more`);
      numbers[NUMBERS[word as keyof typeof NUMBERS]] = Number(text);
    } else throw misuse(`"${word}" is not known`);
  }
  if (benchmark === undefined) throw misuse('say which benchmark');
  return { benchmark, isJson, ...numbers };
}

function misuse(what: string): OakestraError {
  return new OakestraError('invalid', 'bench-usage', `${what}.\n${USAGE}`);
}
