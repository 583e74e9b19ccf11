import { expect, it } from 'vitest';
import { pickSnapshotter } from './snapshotter.ts';

const plugin = (id: string, message?: string) => ({
  type: 'io.containerd.snapshotter.v1',
  id,
  initErr: message === undefined ? undefined : { code: 2, message },
});

it('prefers overlayfs, falls back to copying, and knows when there is neither', () => {
  expect(pickSnapshotter([plugin('native'), plugin('overlayfs')])).toBe('overlayfs');
  expect(pickSnapshotter([plugin('overlayfs', 'not supported'), plugin('native')])).toBe('native');
  expect(pickSnapshotter([plugin('btrfs'), plugin('overlayfs', 'not supported')])).toBeUndefined();
});
