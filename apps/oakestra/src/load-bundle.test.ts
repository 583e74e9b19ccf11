import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeCachePath, loadBundle, wrapBundle } from './load-bundle.ts';

let directory: string;
let bundle: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-bundle-'));
  bundle = join(directory, 'tier.cjs');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const source = `"use strict"; exports.place = [__filename, __dirname]; exports.other = require('./other.cjs').name;`;

describe('loading a bundle', () => {
  beforeEach(() => {
    writeFileSync(bundle, source);
    writeFileSync(join(directory, 'other.cjs'), 'exports.name = "other";');
  });
  const expected = () => ({ place: [bundle, directory], other: 'other' });

  it('works without a code cache', () => {
    expect(loadBundle(bundle)).toEqual(expected());
  });

  it('uses the code cache', () => {
    // Same length, other text: only the cache of the first can give its values.
    const cached = source.replace('"other"', '"other"').replace('exports.other =', 'exports.cache =');
    writeFileSync(bundle, cached);
    writeFileSync(
      codeCachePath(bundle),
      new Script(wrapBundle(cached), { filename: bundle }).createCachedData(),
    );
    writeFileSync(bundle, source);
    expect(loadBundle(bundle)).toEqual({ place: [bundle, directory], cache: 'other' });
  });

  it('does not mind a cache that the engine refuses', () => {
    writeFileSync(codeCachePath(bundle), 'of another engine');
    expect(loadBundle(bundle)).toEqual(expected());
  });
});
