import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.ts';

describe('the options of a benchmark', () => {
  it('have defaults', () => {
    expect(parseOptions(['deploy'])).toEqual({
      benchmark: 'deploy',
      isJson: false,
      runs: 50,
      burst: 100,
      settleSeconds: 60,
      windowSeconds: 60,
    });
  });

  it('are taken in any order', () => {
    const options = parseOptions(['--json', '--window-seconds', '5', 'footprint']);
    expect(options).toMatchObject({ benchmark: 'footprint', isJson: true, windowSeconds: 5 });
    expect(parseOptions(['--json', 'api'])).toMatchObject({ benchmark: 'api', isJson: true });
  });

  it.each([
    [[]],
    [['deploy', 'footprint']],
    [['api', 'deploy']],
    [['deploy', '--runs']],
    [['deploy', '--runs', '0']],
    [['--help']],
  ])('explains itself for %j', (argv) => {
    expect(() => parseOptions(argv)).toThrow('Usage: npm run bench');
  });
});
