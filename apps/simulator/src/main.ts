// `npm run sim-test`: first every sequence of a few happenings in the smallest world, then random worlds until the
// time is up, on all processors. `--seed N` runs one world and prints what happens in it.
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { explore } from './exploration.ts';
import { runSeed } from './random-run.ts';

interface Share {
  readonly first: number;
  readonly stride: number;
  readonly seconds: number;
  readonly length: number;
}

interface Outcome {
  readonly explored: number;
  readonly ran: number;
  readonly failures: readonly string[];
}

/** A share stops here: more of the same teaches nothing. */
const ENOUGH_FAILURES = 5;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    /** Length of the sequences that are explored; each more costs 36 times as much. */
    length: { type: 'string', default: '2' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    share: { type: 'string' },
  },
});

if (values.seed !== undefined) showSeed(Number(values.seed));
else if (values.share !== undefined) process.send?.(runShare(JSON.parse(values.share) as Share));
else await runAll();

function showSeed(seed: number): void {
  const result = runSeed(seed, { isTracing: true });
  for (const line of result.log) console.log(line);
  for (const failure of result.failures) console.log(`FAILED ${failure}`);
  process.exitCode = result.failures.length === 0 ? 0 : 1;
}

async function runAll(): Promise<void> {
  const stride = availableParallelism();
  const shares = Array.from({ length: stride }, (_, index) => ({
    first: Number(values.first) + index,
    stride,
    seconds: Number(values.seconds),
    length: Number(values.length),
  }));
  const outcomes = await Promise.all(shares.map(runInChild));
  const sum = (count: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  for (const { failures } of outcomes) for (const failure of failures) console.log(failure);
  const failed = sum(({ failures }) => failures.length);
  console.log(
    `${sum(({ explored }) => explored)} sequences, ${sum(({ ran }) => ran)} seeds, ${failed} failed`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

function runInChild(share: Share): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, ['--share', JSON.stringify(share)]);
    let outcome: Outcome | undefined;
    child.once('message', (message) => {
      outcome = message as Outcome;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (outcome !== undefined) resolve(outcome);
      else
        reject(new Error(`a share of the simulation ended without a result (${signal ?? `code ${code}`})`));
    });
  });
}

function runShare({ first, stride, seconds, length }: Share): Outcome {
  const endMs = Date.now() + seconds * 1000;
  const { explored, failures: found } = explore({ length, first: first % stride, stride });
  const failures = [...found];
  let ran = 0;
  for (let seed = first; Date.now() < endMs && failures.length < ENOUGH_FAILURES; seed += stride) {
    const result = runSeed(seed);
    ran += 1;
    if (result.failures.length > 0) {
      failures.push([`seed ${seed}:`, ...result.failures.slice(0, 4).map((line) => `  ${line}`)].join('\n'));
    }
  }
  return { explored, ran, failures };
}
