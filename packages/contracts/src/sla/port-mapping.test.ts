import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDisconnectPolicy } from './disconnect-policy.ts';
import { parsePortMappings } from './port-mapping.ts';

describe('port mappings', () => {
  it('default to the same port and to TCP', () => {
    expect(parsePortMappings('9080')).toEqual({
      ok: true,
      mappings: [{ hostPort: 9080, containerPort: 9080, protocol: 'tcp' }],
    });
    expect(parsePortMappings('')).toEqual({ ok: true, mappings: [] });
  });

  it('may take one host port for both protocols', () => {
    expect(parsePortMappings('53:53/tcp;53:5353/udp')).toMatchObject({ ok: true });
    expect(parsePortMappings('53/udp;53:54/udp')).toEqual({
      ok: false,
      reason: 'publishes host port 53/udp twice',
    });
  });

  it.each([
    '0',
    '80:0',
    '65536',
    '80 ',
    '80;',
    ';',
    '80:',
    ':80',
    '80/sctp',
    '127.0.0.1:80:80',
    '-1',
    '8000-8010',
  ])('do not include %j', (text) => {
    expect(parsePortMappings(text).ok).toBe(false);
  });

  it('read back what was written', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    const mapping = fc.record({
      hostPort: port,
      containerPort: port,
      protocol: fc.constantFrom('tcp', 'udp'),
    });
    const unique = fc.uniqueArray(mapping, { selector: (m) => `${m.hostPort}/${m.protocol}` });
    fc.assert(
      fc.property(unique, (mappings) => {
        const written = mappings.map((m) => `${m.hostPort}:${m.containerPort}/${m.protocol}`).join(';');
        expect(parsePortMappings(written)).toEqual({ ok: true, mappings });
      }),
    );
  });
});

describe('the policy for a lost connection', () => {
  it('is to replace when nothing is said', () => {
    expect(parseDisconnectPolicy(undefined)).toEqual({ kind: 'replace' });
    expect(parseDisconnectPolicy('wait')).toEqual({ kind: 'wait' });
    expect(parseDisconnectPolicy('stop-after 90')).toEqual({ kind: 'stop-after', seconds: 90 });
  });

  it.each(['', 'stop-after', 'stop-after -1', 'stop-after 1.5', 'stop-after  3', 'REPLACE', 3, null])(
    'is not %j',
    (text) => {
      expect(parseDisconnectPolicy(text)).toBeUndefined();
    },
  );
});
