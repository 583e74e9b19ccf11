import { OakestraError } from '@oakestra/contracts';
import type { PortMapping } from '@oakestra/contracts/port-mapping';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findPortConflicts, formatPortMappings, parsePortMappings } from './port-mapping.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const mapping: fc.Arbitrary<PortMapping> = fc.record({
  hostPort: port,
  containerPort: port,
  protocol: fc.constantFrom('tcp', 'udp'),
});
const mappings = fc.uniqueArray(mapping, { selector: (m) => `${m.hostPort}/${m.protocol}` });

function violationsOf(text: string): string[] {
  try {
    parsePortMappings(text, 'microservices[0].port');
  } catch (error) {
    if (!(error instanceof OakestraError)) throw error;
    expect(error.code).toBe('invalid-port-mapping');
    expect(error.violations.every(({ path }) => path === 'microservices[0].port')).toBe(true);
    return error.violations.map(({ message }) => message);
  }
  return [];
}

describe('port mappings (root-api 5.5)', () => {
  it.each([
    ['', []],
    ['80', [{ hostPort: 80, containerPort: 80, protocol: 'tcp' }]],
    ['6080:80/tcp', [{ hostPort: 6080, containerPort: 80, protocol: 'tcp' }]],
    ['53/udp', [{ hostPort: 53, containerPort: 53, protocol: 'udp' }]],
    [
      ' 80:80/tcp; 90:100/UDP; ',
      [
        { hostPort: 80, containerPort: 80, protocol: 'tcp' },
        { hostPort: 90, containerPort: 100, protocol: 'udp' },
      ],
    ],
  ] as const)('reads "%s"', (text, expected) => expect(parsePortMappings(text)).toEqual(expected));

  it('come back from their text', () => {
    fc.assert(
      fc.property(mappings, (list) => {
        expect(parsePortMappings(formatPortMappings(list))).toEqual(list);
      }),
    );
  });

  it.each([
    ['http', '"http": host port must be a number from 1 to 65535'],
    ['0', '"0": host port must be a number from 1 to 65535'],
    ['80:65536', '"80:65536": container port must be a number from 1 to 65535'],
    ['80:', '"80:": container port must be a number from 1 to 65535'],
    ['80:1:2', '"80:1:2": has more than two port numbers; expected host[:container]'],
    ['80/sctp', '"80/sctp": protocol must be tcp or udp'],
    ['80/', '"80/": protocol must be tcp or udp'],
    ['80;;81', '"": is empty; expected host[:container][/tcp|/udp]'],
    ['80:1;80:2', '"80:2": host port 80/tcp is already mapped by "80:1"'],
  ])('refuses "%s" and says which part and why', (text, reason) => {
    expect(violationsOf(text)).toEqual([reason]);
  });

  it('names every wrong part at once', () => {
    expect(violationsOf('x;80;y')).toHaveLength(2);
  });

  it('never throws anything but its own error', () => {
    fc.assert(fc.property(fc.string(), (text) => violationsOf(text).length >= 0));
  });

  it('may share a number between TCP and UDP', () => {
    expect(parsePortMappings('53/tcp;53/udp')).toHaveLength(2);
  });

  it('conflict between instances by number and protocol', () => {
    const owners = [
      { id: 'a', ports: parsePortMappings('80;53/udp') },
      { id: 'b', ports: parsePortMappings('81:80;53/tcp') },
      { id: 'c', ports: parsePortMappings('9:9;53/udp') },
    ];
    expect(findPortConflicts(owners)).toEqual([{ hostPort: 53, protocol: 'udp', owners: ['a', 'c'] }]);
  });
});
