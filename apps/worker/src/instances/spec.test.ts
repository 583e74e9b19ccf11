import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeExit, labelsOf, portsOf, readLabels, runtimeIdOf, specOf } from './spec.ts';
import { documentOf, entryOf, SERVICE, USER } from './testing/test-entries.ts';

const PATHS = {
  logPath: '/logs/x.log',
  hostsPath: '/files/x.hosts',
  resolvConfPath: '/files/resolv.conf',
  networkNamespacePath: '/run/netns/x',
};
/** containerd refuses a label whose name and value have more bytes together. */
const MOST_LABEL_BYTES = 4096;

describe('labels', () => {
  it('say all that is needed to adopt the instance, whatever its document holds', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 20, unit: 'binary' }), fc.jsonValue(), { maxKeys: 10 }),
        fc.array(fc.string({ unit: 'binary', maxLength: 3000 }), { maxLength: 6 }),
        fc.nat(10_000),
        (fields, environment, number) => {
          const document = documentOf(SERVICE, { ...fields, ...documentOf(SERVICE), environment });
          const epoch = { root: 1_795_000_000, cluster: number };
          const entry = entryOf({ number, epoch, document });
          const labels = labelsOf(entry);
          for (const [name, value] of Object.entries(labels)) {
            expect(Buffer.byteLength(name) + Buffer.byteLength(value)).toBeLessThanOrEqual(MOST_LABEL_BYTES);
          }
          // As JSON, which is how it came and how it goes on.
          expect(readLabels(labels)).toEqual({
            key: entry.key,
            epoch,
            ownerUserId: USER,
            document: JSON.parse(JSON.stringify(document)),
          });
        },
      ),
    );
  });

  it('of other containers are none of ours', () => {
    expect(readLabels({})).toBeUndefined();
    expect(readLabels({ 'oakestra.key': `${SERVICE}/0` })).toBeUndefined();
    expect(readLabels({ 'oakestra.key': `${SERVICE}/0`, 'oakestra.epoch': 'new' })).toBeUndefined();
  });

  it('of which a piece is missing or damaged still say whose container it is', () => {
    const entry = entryOf({ document: documentOf(SERVICE, { environment: ['x'.repeat(20_000)] }) });
    const whole = labelsOf(entry);
    const pieces = Object.keys(whole).filter((name) => name.startsWith('oakestra.document.'));
    expect(pieces.length).toBeGreaterThan(5);
    for (const piece of pieces) {
      const { [piece]: _, ...cut } = whole;
      expect(readLabels(cut)).toMatchObject({ key: entry.key, epoch: entry.epoch, document: undefined });
    }
    const [first = ''] = pieces;
    expect(readLabels({ ...whole, [first]: 'bnVsbA==' })).toMatchObject({ document: undefined });
  });
});

describe('the specification', () => {
  it('takes over what the service says', () => {
    const document = documentOf(SERVICE, {
      cmd: ['nginx', '-g', 'daemon off;'],
      environment: ['A=1', 'B=ü'],
      memory: 100,
      vcpus: 2,
      platform: 'linux/arm64',
      port: '8080:80;53:53/udp',
      privileged: true,
      storage: 5,
    });
    const entry = entryOf({ number: 3, document, pinnedImage: 'docker.io/library/nginx@sha256:1' });
    const files = [{ hostPath: '/run/values/0', path: '/etc/nginx.conf' }];
    expect(specOf(entry, PATHS, { environment: ['PASSWORD=x'], files })).toEqual({
      id: 'shop.default.web.default.instance.3',
      image: { reference: 'docker.io/library/nginx@sha256:1', platform: 'linux/arm64' },
      command: ['nginx', '-g', 'daemon off;'],
      environment: ['HOSTNAME=instance-3', 'A=1', 'B=ü', 'PASSWORD=x'],
      files,
      memoryMib: 100,
      cpuMillis: 2000,
      hostname: 'instance-3',
      labels: labelsOf(entry),
      ...PATHS,
    });
    expect(portsOf(document)).toHaveLength(2);
    expect(runtimeIdOf(entry)).toBe('shop.default.web.default.instance.3');
  });

  it('has no limits where the service says nothing, or nonsense', () => {
    for (const nonsense of [undefined, null, '1', -1, Number.NaN, {}]) {
      const document = documentOf(SERVICE, {
        memory: nonsense,
        vcpus: nonsense,
        cmd: nonsense,
        environment: nonsense,
        port: null,
      });
      const spec = specOf(entryOf({ document }), PATHS, { environment: [], files: [] });
      expect(spec).toMatchObject({ memoryMib: 0, cpuMillis: 0, command: [], image: { reference: 'nginx' } });
      expect(spec.environment).toEqual(['HOSTNAME=instance-0']);
      expect(portsOf(document)).toEqual([]);
    }
  });
});

describe('the end of an instance', () => {
  const exit = { code: 1, isOutOfMemory: false, atMs: 0 };

  it.each([
    [exit, {}, 'Ended with exit code 1'],
    [{ ...exit, code: 139, signal: 'SIGSEGV' }, {}, 'Ended by signal SIGSEGV (exit code 139)'],
    [
      { ...exit, code: 137, signal: 'SIGKILL', isOutOfMemory: true },
      { memory: 64 },
      'Out of memory: killed by the kernel; its limit is 64 MiB (field memory)',
    ],
    [
      { ...exit, code: 137, isOutOfMemory: true },
      {},
      'Out of memory: killed by the kernel; the machine ran out of memory',
    ],
  ])('is said in words', (given, fields, text) => {
    expect(describeExit(given, documentOf(SERVICE, fields))).toBe(text);
  });
});
