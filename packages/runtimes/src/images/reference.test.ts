import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  familiarImageReference,
  formatImageReference,
  type ImageReference,
  parseImageReference,
  pinnedImageReference,
} from './reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('parseImageReference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['user/app', 'docker.io/user/app:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/user/app:v1', 'docker.io/user/app:v1'],
    ['localhost/x', 'localhost/x:latest'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
    ['127.0.0.1:5000/a/b/c:2', '127.0.0.1:5000/a/b/c:2'],
    ['[::1]:5000/x', '[::1]:5000/x:latest'],
    ['Registry/x', 'Registry/x:latest'],
    ['registry.example/team__a/b-c.d:V1_x', 'registry.example/team__a/b-c.d:V1_x'],
    [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    [`localhost:5000/x:1@${DIGEST}`, `localhost:5000/x:1@${DIGEST}`],
  ])('reads %s as Docker does', (text, expected) => {
    expect(formatImageReference(parseImageReference(text))).toBe(expected);
  });

  it.each([
    ['', /empty/],
    ['ng inx', /white space/],
    ['https://registry.example/x', /remove "https:\/\/"/],
    ['docker://nginx', /remove "docker:\/\/"/],
    ['Nginx', /lower case: "Nginx"/],
    ['user/App', /lower case/],
    ['nginx:', /the tag ""/],
    ['nginx:-x', /the tag "-x"/],
    [`nginx:${'a'.repeat(129)}`, /128/],
    ['nginx@sha256:abc', /digest "sha256:abc"/],
    [`nginx@sha512:${'0'.repeat(128)}`, /is not "sha256:"/],
    ['localhost:5000/', /repository is missing/],
    ['localhost:99999/x', /port 99999/],
    ['a//b', /empty part/],
    ['a/-b', /"-b"/],
    ['a/b___c', /"b___c"/],
    ['-host.example/x', /host name/],
    ['registry.example:port/x', /host name/],
    [`registry.example/${'a'.repeat(250)}`, /255/],
    ['f'.repeat(64), /image ID/],
  ])('refuses %j and says why', (text, reason) => {
    expect(() => parseImageReference(text)).toThrow(reason);
    expect(() => parseImageReference(text)).toThrow(
      expect.objectContaining({ code: 'image-reference-invalid' }),
    );
  });

  const alphanumeric = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const component = fc
    .tuple(
      alphanumeric,
      fc.array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '--'), alphanumeric), { maxLength: 2 }),
    )
    .map(([first, rest]) => first + rest.map(([separator, word]) => separator + word).join(''));
  const reference: fc.Arbitrary<ImageReference> = fc.record(
    {
      registry: fc.constantFrom(
        'docker.io',
        'localhost',
        'localhost:5000',
        'registry.example',
        '[::1]:5000',
        '10.0.0.1:80',
      ),
      repository: fc.array(component, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/')),
      tag: fc.stringMatching(/^[A-Za-z0-9_][\w.-]{0,20}$/),
      digest: fc.constant(DIGEST),
    },
    { requiredKeys: ['registry', 'repository', 'tag'] },
  );

  it('reads its own output back, in full and in the familiar form', () => {
    fc.assert(
      fc.property(reference, (original) => {
        expect(parseImageReference(formatImageReference(original))).toEqual(original);
        expect(parseImageReference(familiarImageReference(original))).toEqual(original);
      }),
    );
  });

  it('yields a normal form or an error that names the input, whatever comes in', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9:@/._-]{0,40}$/)), (text) => {
        let normal: string;
        try {
          normal = formatImageReference(parseImageReference(text));
        } catch (error) {
          expect(error).toMatchObject({ code: 'image-reference-invalid', details: { reference: text } });
          return;
        }
        expect(formatImageReference(parseImageReference(normal))).toBe(normal);
      }),
      { numRuns: 500 },
    );
  });
});

describe('other forms of a name', () => {
  it('pins to the digest and drops the tag', () => {
    expect(pinnedImageReference(parseImageReference('nginx:1.27'), DIGEST)).toBe(
      `docker.io/library/nginx@${DIGEST}`,
    );
  });

  it('leaves out what Docker adds', () => {
    expect(familiarImageReference(parseImageReference('docker.io/library/nginx:1'))).toBe('nginx:1');
    expect(familiarImageReference(parseImageReference('user/app'))).toBe('user/app:latest');
    expect(familiarImageReference(parseImageReference('localhost/library/x'))).toBe(
      'localhost/library/x:latest',
    );
  });
});
