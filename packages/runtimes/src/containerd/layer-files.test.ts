import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { layersOf, readLayerFile } from './layer-files.ts';

let root: string;
let layers: string[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oak-layers-'));
  layers = ['upper', 'lower'].map((name) => join(root, name));
  for (const layer of layers) await mkdir(join(layer, 'etc'), { recursive: true });
  await writeFile(join(root, 'secret'), 'of the host');
  await put('lower', 'etc/passwd', 'lower');
});
afterEach(() => rm(root, { recursive: true }));

const put = (layer: string, path: string, text: string) => writeFile(join(root, layer, path), text);
const link = (layer: string, path: string, target: string) => symlink(target, join(root, layer, path));
const read = (path = '/etc/passwd') => readLayerFile(layers, path);

it('names the layers of a mount, uppermost first', () => {
  const mount = {
    type: 'overlay',
    source: 'overlay',
    target: '',
    options: ['ro', 'lowerdir=/b:/c', 'upperdir=/a'],
  };
  expect(layersOf([mount])).toEqual(['/a', '/b', '/c']);
  expect(layersOf([{ type: 'bind', source: '/d', target: '', options: ['rbind'] }])).toEqual(['/d']);
  expect(layersOf([])).toEqual([]);
});

it('reads the uppermost file of directories that unite', async () => {
  expect(await read()).toBe('lower');
  await put('upper', 'etc/passwd', 'upper');
  expect(await read()).toBe('upper');
  expect(await read('etc/none')).toBeUndefined();
  expect(await read('etc')).toBeUndefined();
  expect(await read('etc/passwd/x')).toBeUndefined();
});

it('does not see what an upper layer deleted or replaced by a file', async () => {
  await promisify(execFile)('mknod', [join(root, 'upper/etc/passwd'), 'c', '0', '0']);
  expect(await read()).toBeUndefined();
  await put('lower', 'etc/group', 'lower');
  await rm(join(root, 'upper/etc'), { recursive: true });
  await put('upper', 'etc', 'now a file');
  expect(await read('etc/group')).toBeUndefined();
});

it('follows links within the layers only', async () => {
  await link('upper', 'etc/passwd', '../conf/users');
  await mkdir(join(root, 'lower/conf'));
  await put('lower', 'conf/users', 'linked');
  expect(await read()).toBe('linked');
  await link('upper', 'absolute', '/conf/users');
  expect(await read('absolute')).toBe('linked');
  await link('upper', 'escape', '../../../../../../../../../../secret');
  await link('upper', 'outside', join(root, 'secret'));
  await link('upper', 'up', '/..');
  expect(await read('escape')).toBeUndefined();
  expect(await read('outside')).toBeUndefined();
  expect(await read('up/secret')).toBeUndefined();
});

it('gives up on links that go round', async () => {
  await link('upper', 'a', 'b');
  await link('upper', 'b', 'a');
  expect(await read('a')).toBeUndefined();
});

it('does not read what is too large or no plain file', async () => {
  await put('upper', 'etc/passwd', 'x'.repeat(1024 * 1024 + 1));
  expect(await read()).toBeUndefined();
  await promisify(execFile)('mkfifo', [join(root, 'upper/etc/pipe')]);
  expect(await read('etc/pipe')).toBeUndefined();
});
