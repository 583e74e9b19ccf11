import { describe, expect, it } from 'vitest';
import { forbiddenIn, packagesIn } from './packages-in.mjs';

const output = {
  bytes: 10,
  exports: [],
  entryPoint: 'apps/x/src/main.ts',
  inputs: {
    'apps/x/src/main.ts': { bytesInOutput: 3 },
    'node_modules/zod/index.js': { bytesInOutput: 4 },
    'node_modules/a/node_modules/@scope/deep/index.js': { bytesInOutput: 1 },
    'node_modules/zod/other.js': { bytesInOutput: 2 },
  },
  imports: [
    { path: 'node:fs', kind: 'require-call', external: true },
    { path: 'fs', kind: 'require-call', external: true },
    { path: '@photostructure/sqlite', kind: 'require-call', external: true },
  ],
};

describe('what is in a bundle', () => {
  const packages = packagesIn(/** @type {any} */ (output));

  it('is told by package, nested and external ones too, without the modules of Node.js', () => {
    expect([...packages]).toEqual([
      ['', 3],
      ['zod', 6],
      ['@scope/deep', 1],
      ['@photostructure/sqlite', 0],
    ]);
  });

  it('must not be what is forbidden', () => {
    const bundle = { name: 'x', entry: '' };
    expect(forbiddenIn({ ...bundle, forbidden: ['@scope/deep', 'fastify'] }, packages)).toEqual([
      '@scope/deep',
    ]);
    expect(forbiddenIn({ ...bundle, forbidden: 'all' }, packages)).toHaveLength(3);
    expect(forbiddenIn({ ...bundle, forbidden: [] }, packages)).toEqual([]);
  });
});
