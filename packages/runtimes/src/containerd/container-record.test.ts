import { Sensitive } from '@oakestra/contracts';
import { expect, it } from 'vitest';
import type { InstanceSpec } from '../runtime.ts';
import { containerLabels, containerMessage, readRecord, recordOf } from './container-record.ts';
import type { OciSpec } from './oci-types.ts';

const spec: InstanceSpec = {
  id: 'shop.live.web.live.instance.3',
  image: { reference: 'shop:1', credentials: { username: 'ana', password: new Sensitive('hunter2') } },
  command: ['serve'],
  environment: ['A=1'],
  memoryMib: 64,
  cpuMillis: 100,
  hostname: 'instance-3',
  logPath: '/logs/a',
  labels: { epoch: '4', '': 'odd' },
};
const image = {
  pinnedReference: 'docker.io/library/shop@sha256:1',
  digest: 'sha256:1',
  stopSignal: 'SIGQUIT',
  config: {},
  chainId: 'sha256:2',
};
const record = recordOf(spec, image, 'overlayfs');

it('reads back what it wrote', () => {
  const message = containerMessage(record, { ociVersion: '1.0.2' } as OciSpec);
  expect(readRecord(message)).toEqual(record);
  expect(JSON.parse(Buffer.from(message.spec?.value ?? []).toString())).toEqual({ ociVersion: '1.0.2' });
  expect(JSON.stringify(message)).not.toContain('hunter2');
});

it('reads containers of others', () => {
  const foreign = {
    ...containerMessage(record, {} as OciSpec),
    labels: { 'containerd.io/x': '1', mine: '2' },
  };
  expect(readRecord(foreign)).toMatchObject({ id: foreign.id, labels: { mine: '2' }, stopSignal: 'SIGTERM' });
});

it('does not let labels of a caller replace those of the runtime', () => {
  const labels = containerLabels({ ...record, labels: { 'oakestra.runtime/instance': 'other' } });
  expect(labels['oakestra.runtime/instance']).toBe(spec.id);
});

it('names a label that is too large', () => {
  expect(() => containerLabels({ ...record, labels: { note: 'x'.repeat(4_093) } })).toThrow(
    expect.objectContaining({ code: 'label-too-large', message: expect.stringContaining('note') }),
  );
  containerLabels({ ...record, labels: { note: 'x'.repeat(4_092) } });
});

it('recognises the same specification, whatever its labels, and any other', () => {
  const fingerprint = (changes: Partial<InstanceSpec>, digest = image.digest) =>
    recordOf({ ...spec, ...changes }, { ...image, digest }, 'overlayfs').fingerprint;
  expect(fingerprint({ labels: {}, image: { reference: 'shop:1' } })).toBe(record.fingerprint);
  expect(fingerprint({ memoryMib: 65 })).not.toBe(record.fingerprint);
  expect(fingerprint({ environment: ['A=2'] })).not.toBe(record.fingerprint);
  expect(fingerprint({}, 'sha256:9')).not.toBe(record.fingerprint);
});
