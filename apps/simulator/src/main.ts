import { parseArgs } from 'node:util';
import { runSeed } from './random-run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    first: { type: 'string', default: '1' },
    stride: { type: 'string', default: '1' },
    fails: { type: 'string', default: '5' },
  },
});

if (values.seed !== undefined) {
  const result = runSeed(Number(values.seed), { isTracing: true });
  for (const line of result.log) console.log(line);
  for (const failure of result.failures) console.log(`FAILED ${failure}`);
  process.exitCode = result.failures.length === 0 ? 0 : 1;
} else {
  const endMs = Date.now() + Number(values.seconds) * 1000;
  let seed = Number(values.first);
  let failed = 0;
  let ran = 0;
  for (; Date.now() < endMs && failed < Number(values.fails); seed += Number(values.stride)) {
    const result = runSeed(seed);
    ran += 1;
    if (result.failures.length > 0) {
      failed += 1;
      console.log(`seed ${seed}:`);
      for (const failure of result.failures.slice(0, 4)) console.log(`  ${failure}`);
    }
  }
  console.log(`${ran} seeds, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
