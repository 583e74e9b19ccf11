import { describe, expect, it } from 'vitest';
import { globalModeViolations } from './global-mode.ts';

const faults = (fields: object) => globalModeViolations('s', { ...fields }).map(({ path }) => path);

describe('mode: global', () => {
  it('goes with a selector and overrides', () => {
    expect(faults({ mode: 'global', selector: { worker: { gpu: 'yes' } }, overrides: [] })).toEqual([]);
    expect(faults({ mode: 'global' })).toEqual([]);
    expect(faults({})).toEqual([]);
  });

  it('does not go with jobs, and selects by labels that there can be', () => {
    expect(faults({ mode: 'global', one_shot: true })).toEqual(['s.one_shot']);
    expect(faults({ mode: 'global', selector: { cluster: { '-a': 'x' }, worker: { b: 'ü' } } })).toEqual([
      ...['s.selector.cluster.-a', 's.selector.worker.b'],
    ]);
  });

  it('is what selector and overrides need', () => {
    expect(faults({ selector: {}, overrides: [] })).toEqual(['s.selector', 's.overrides']);
    expect(faults({ mode: 'replicated', selector: null })).toEqual(['s.selector']);
  });
});
