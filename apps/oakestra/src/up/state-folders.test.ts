import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeStateFolder, removeStateFolder } from './state-folders.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-state-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('folders for state', () => {
  it('are removed with everything in them when we made them', () => {
    const folder = join(directory, 'root');
    makeStateFolder(folder);
    makeStateFolder(folder);
    mkdirSync(join(folder, 'tls'));
    writeFileSync(join(folder, 'tls/key.pem'), 'x');
    expect(removeStateFolder(folder)).toBe('removed');
    expect(existsSync(folder)).toBe(false);
    expect(removeStateFolder(folder)).toBe('absent');
  });

  it('stay when they were there before with something in them: it may be anything', () => {
    const home = join(directory, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'thesis.txt'), 'x');
    makeStateFolder(home);
    expect(removeStateFolder(home)).toBe('foreign');
    expect(readdirSync(home)).toEqual(['thesis.txt']);
  });

  it('are ours when they were there before but empty', () => {
    const folder = join(directory, 'empty');
    mkdirSync(folder);
    makeStateFolder(folder);
    expect(removeStateFolder(folder)).toBe('removed');
  });
});
