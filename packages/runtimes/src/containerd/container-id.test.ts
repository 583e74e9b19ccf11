import fc from 'fast-check';
import { expect, it } from 'vitest';
import { containerIdOf, snapshotKeyOf } from './container-id.ts';

it('keeps what containerd accepts', () => {
  expect(containerIdOf('shop.live.web.live.instance.0')).toBe('shop.live.web.live.instance.0');
  expect(snapshotKeyOf('shop.live.web.live.instance.0')).toBe('shop.live.web.live.instance.0-snapshotter');
});

it('turns anything else into an identifier of its own', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (instanceId) => {
      const containerId = containerIdOf(instanceId);
      expect(containerId).toMatch(/^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/);
      expect(containerId.length).toBeLessThanOrEqual(76);
      expect(containerIdOf(containerId)).toBe(containerId);
    }),
  );
});

it('does not mix up long identifiers that begin alike', () => {
  const long = 'a'.repeat(80);
  expect(containerIdOf(`${long}.instance.1`)).not.toBe(containerIdOf(`${long}.instance.2`));
});
