import { describe, expect, it } from 'vitest';
import type { ServiceDocument } from './documents.ts';
import { globalDocument, globalInstanceNumber, selectorOf } from './global-services.ts';

const document = {
  image: 'agent:1',
  code: 'agent:1',
  environment: ['LEVEL=info', 'SITE=a=b'],
  memory: 64,
  overrides: [
    { cluster: 'plant', environment: ['LEVEL=debug', 'NEW=1'] },
    { worker: 'gateway-7', code: 'agent:2' },
    { cluster: 'plant', worker: 'gateway-7', memory: 256, vcpus: 2, cmd: ['run'] },
  ],
} as unknown as ServiceDocument;

describe('a global service', () => {
  it('has overrides by cluster, by worker, and by both; later ones win', () => {
    expect(globalDocument(document, { cluster: 'plant', worker: 'gateway-7' })).toMatchObject({
      ...{ image: 'agent:2', code: 'agent:2', memory: 256, vcpus: 2, cmd: ['run'] },
      environment: ['SITE=a=b', 'LEVEL=debug', 'NEW=1'],
    });
    expect(globalDocument(document, { cluster: 'plant', worker: 'other' })).toMatchObject({
      ...{ image: 'agent:1', memory: 64, environment: ['SITE=a=b', 'LEVEL=debug', 'NEW=1'] },
    });
    expect(globalDocument(document, { cluster: 'else', worker: 'other' })).toEqual(document);
  });

  it('selects everything when it does not say', () => {
    expect(selectorOf(document)).toEqual({ cluster: {}, worker: {} });
  });

  it('has a number for each worker that fits into a key, and that nobody shares', () => {
    const ids = Array.from({ length: 20_000 }, (_, index) => index.toString(16).padStart(24, '0'));
    const numbers = ids.map(globalInstanceNumber);
    expect(new Set(numbers).size).toBe(ids.length);
    for (const number of numbers) expect(String(number)).toMatch(/^\d{1,15}$/);
    expect(globalInstanceNumber(ids[7] ?? '')).toBe(numbers[7]);
  });
});
