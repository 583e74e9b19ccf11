import { describe, expect, it } from 'vitest';
import { type BenchmarkReport, formatReport, reportAsJson } from './report.ts';

const report: BenchmarkReport = {
  name: 'deploy',
  conditions: { runs: 50 },
  figures: [
    {
      name: 'deploy_p50_ms',
      unit: 'ms',
      value: 120.12345,
      reference: { name: 'ctr run', value: 80 },
      budget: 136,
    },
    { name: 'burst_100_s', unit: 's', value: 7, reference: { name: 'budget', value: 6 }, budget: 6 },
  ],
  details: [{ title: 'Hops', rows: [['network', '12.0']] }],
};

describe('the report of a benchmark', () => {
  it('is one line of JSON with the ratio to the reference', () => {
    const text = reportAsJson(report);
    expect(text).not.toContain('\n');
    expect(JSON.parse(text)).toEqual({
      name: 'deploy',
      conditions: { runs: 50 },
      figures: [
        {
          name: 'deploy_p50_ms',
          unit: 'ms',
          value: 120.123,
          reference: { name: 'ctr run', value: 80 },
          ratio: 1.502,
        },
        { name: 'burst_100_s', unit: 's', value: 7, reference: { name: 'budget', value: 6 }, ratio: 1.167 },
      ],
    });
  });

  it('says for people which budget was met and which was missed', () => {
    const text = formatReport(report);
    expect(text).toMatch(/deploy_p50_ms +120 .* 136 +met/);
    expect(text).toMatch(/burst_100_s +7 .* 6 +MISSED/);
    expect(text).toContain('Hops\n  network  12.0');
  });
});
