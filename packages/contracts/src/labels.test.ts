import { describe, expect, it } from 'vitest';
import { labelsSchema } from './fleet-messages.ts';
import { effectiveLabels, labelFault, matchesLabels } from './labels.ts';

describe('labels', () => {
  it.each(['zone', 'a', '7', 'example.org/rack', 'a_b-c', 'x'.repeat(63)])('may be named %s', (name) => {
    expect(labelFault(name, 'north')).toBeUndefined();
  });
  it.each(['', '-a', 'a-', 'a b', 'ü', 'x'.repeat(64), 'a,b', '/a'])('may not be named "%s"', (name) => {
    expect(labelFault(name, 'north')).toContain('label name');
  });
  it.each(['', 'north', '1.2', 'x'.repeat(63)])('may have the value "%s"', (value) => {
    expect(labelFault('zone', value)).toBeUndefined();
  });
  it.each(['-', 'a b', 'a=b', 'x'.repeat(64), 'a/b'])('may not have the value "%s"', (value) => {
    expect(labelFault('zone', value)).toContain('value of the label "zone"');
  });

  it('are at most 64, and every fault is named', () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, '']));
    expect(labelsSchema.safeParse(many).success).toBe(false);
    const { error } = labelsSchema.safeParse({ '-a': '', b: '!', c: 'fine' });
    expect(error?.issues.map(({ path }) => path.join())).toEqual(['-a', 'b']);
  });

  it('of the API win; a selector wants all of its own', () => {
    const labels = effectiveLabels({ zone: 'north', rack: '7' }, { zone: 'south' });
    expect(labels).toEqual({ zone: 'south', rack: '7' });
    expect(matchesLabels({ zone: 'south' }, labels)).toBe(true);
    expect(matchesLabels({ zone: 'south', gpu: '' }, labels)).toBe(false);
    expect(matchesLabels({}, labels)).toBe(true);
  });
});
