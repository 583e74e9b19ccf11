import { describe, expect, it } from 'vitest';
import { defineSettings, loadSettings, settingType } from './index.ts';

const table = defineSettings({
  labels: {
    type: settingType.pairs({
      most: 3,
      check: (name, value) =>
        /^\w+$/.test(name) && value !== 'bad' ? undefined : `"${name}" is not allowed`,
    }),
    default: {},
    description: 'Names with values.',
  },
});

const load = (argv: readonly string[], env: Record<string, string> = {}) =>
  loadSettings({ role: 'worker', table, argv, env, file: '/nowhere/worker.yaml' });

describe('pairs', () => {
  it.each([
    [['--labels', 'zone=north,rack=7'], {}],
    [['--labels', 'zone=north', '--labels', 'rack=7'], {}],
    [['--labels=zone=north, rack=7'], {}],
    [[], { OAKESTRA_LABELS: 'zone=north,rack=7' }],
  ])('%j %j', async (argv, environment) => {
    expect((await load(argv, environment)).values.labels).toEqual({ zone: 'north', rack: '7' });
  });

  it('may be a map or a list in a file, and are nothing by default', async () => {
    const { type } = table.labels;
    expect(type.parse({ zone: 'north', rack: 7, gpu: null })).toEqual({
      ...{ zone: 'north', rack: '7', gpu: '' },
    });
    expect(type.parse(['zone=north', 'empty='])).toEqual({ zone: 'north', empty: '' });
    expect(type.format?.({ zone: 'north', gpu: '' })).toBe('zone=north,gpu=');
    expect((await load([])).values.labels).toEqual({});
  });

  it.each([
    ['zone', 'has no "="'],
    ['a=1,a=2', '"a" is given twice'],
    ['a b=1', '"a b" is not allowed'],
    ['a=bad,b=bad', '"a" is not allowed; "b" is not allowed'],
    ['a=1,b=2,c=3,d=4', 'at most 3'],
  ])('%s is refused', async (text, reason) => {
    await expect(load(['--labels', text])).rejects.toThrow(reason);
  });

  it('that are no map of texts are refused', () => {
    expect(() => table.labels.type.parse({ a: 'x', nested: { b: 1 } })).toThrow('"nested" must be text');
    expect(() => table.labels.type.parse(7)).toThrow('must be a list');
  });
});
