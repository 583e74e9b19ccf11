import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseSlaText, readDocumentText } from './text.ts';

const yaml = (text: string) => readDocumentText(text, 'application/yaml');
const faultOf = (read: ReturnType<typeof readDocumentText>) => (read.ok ? 'none' : read.message);

const SLA = `
sla_version: v2.0
customerID: Admin
applications:
  - application_name: shop
    application_namespace: test
    microservices:
      - microservice_name: web
        microservice_namespace: test
        virtualization: container
        code: docker.io/library/nginx:latest
        memory: 100
        port: 6080:80/tcp
        environment: [TZ=UTC]
        own: { kept: [1, null] }
`;

describe('an SLA as YAML', () => {
  it('is the SLA that the same document in JSON is', () => {
    const parsed = parseSlaText(SLA, 'application/yaml; charset=utf-8');
    expect(parsed.ok).toBe(true);
    const again = parsed.ok && parseSlaText(JSON.stringify(parsed.sla), 'application/json');
    expect(again).toEqual(parsed);
    expect(parsed.ok && parsed.sla.applications[0]?.microservices[0]).toMatchObject({
      memory: 100,
      port: '6080:80/tcp',
      own: { kept: [1, null] },
    });
  });

  it('is held to the same rules', () => {
    expect(parseSlaText(SLA.replace('memory: 100', 'memory: -5'), 'text/yaml')).toEqual({
      ok: false,
      reason: 'rules',
      violations: [
        {
          path: 'applications[0].microservices[0].memory',
          message: 'must be an integer of 0 or more (MB), not -5',
        },
      ],
    });
  });

  it.each(['application/yaml', 'application/x-yaml', 'text/yaml', 'Text/X-YAML;q=1', 'application/sla+yaml'])(
    'is told by the media type %s',
    (contentType) => {
      expect(readDocumentText('a: 1', contentType)).toEqual({ ok: true, value: { a: 1 } });
    },
  );

  it('has the values of JSON, whatever version the text claims', () => {
    expect(yaml('%YAML 1.1\n---\na: yes\nb: 2026-11-22\nc: 0o10\nd: ~\n1: x\n')).toEqual({
      ok: true,
      value: { a: 'yes', b: '2026-11-22', c: 8, d: null, '1': 'x' },
    });
  });

  it('may repeat itself with aliases', () => {
    expect(yaml('a: &x [1, 2]\nb: *x\n')).toEqual({ ok: true, value: { a: [1, 2], b: [1, 2] } });
  });

  it('reads back every JSON document', () => {
    const document = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(document, (value) => {
        fc.pre(!JSON.stringify(value).includes('"__proto__"') && !Object.hasOwn(value, '<<'));
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(yaml(stringify(plain, { version: '1.2', aliasDuplicateObjects: false }))).toEqual({
          ok: true,
          value: plain,
        });
      }),
    );
  });
});

describe('a text that cannot be read', () => {
  it.each([
    ['a: 1\nb: [1,\nc: 2', 'line 3, column 1: is no valid YAML: '],
    ['a: "x\n', 'is no valid YAML: '],
    ['a:\n\t- 1', 'line 2, column 1: is no valid YAML: a tab'],
    ['a: 1\nb: 2\na: 3', 'line 3, column 1: repeats a field'],
    ['a: 1\n---\nb: 1', 'line 2, column 1: is no valid YAML: a second document'],
    ['a: !secret x', 'line 1, column 4: is no valid YAML: the tag is unknown'],
    ['a: !!timestamp 2026-11-22', 'line 1, column 4: is no valid YAML: the tag is unknown'],
    ['a: *missing', 'line 1, column 4: is an alias of an anchor that does not exist'],
    ['x: &x {a: 1}\ny:\n  <<: *x', 'line 3, column 3: merge keys (<<) are not part of YAML 1.2'],
    ['? [1, 2]\n: x', 'line 1, column 3: must have a plain text as the name of a field'],
    ['__proto__: 1', 'line 1, column 1: a field must not be named "__proto__"'],
    ['', 'is empty'],
    ['# nothing\n', 'is empty'],
    ['a: &x [*x]', 'is nested deeper than 64 levels, or contains itself'],
  ])('names the place: %j', (text, expected) => {
    const fault = faultOf(yaml(text));
    expect(fault).not.toBe('none');
    expect(fault).toContain(expected);
  });

  it('is too long, or too deep', () => {
    expect(faultOf(yaml(`a: ${'x'.repeat(300_000)}`))).toContain('is longer than 256 KiB');
    for (const text of ['['.repeat(50_000), `${'['.repeat(5000)}${']'.repeat(5000)}`, '- '.repeat(20_000)]) {
      expect(faultOf(yaml(text))).not.toBe('none');
    }
    expect(faultOf(readDocumentText('['.repeat(50_000), undefined))).not.toBe('none');
  });

  it('does not laugh a billion times', () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [index, name] of [...'bcdefghi'].entries()) {
      const below = `*${'abcdefghi'[index]}`;
      lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => below).join(', ')}]`);
    }
    expect(faultOf(yaml(lines.join('\n')))).toContain('more than 1000 aliases');
    const wide = `a: &a [${Array.from({ length: 2000 }, () => 1)}]\nb: [${Array.from({ length: 900 }, () => '*a')}]`;
    expect(faultOf(yaml(wide))).toContain('stands for more than 100000 values');
  });

  it('keeps secrets to itself', () => {
    const texts = ['environment:\n - PASSWORD=hunter2\n bad: [', '{"environment": ["PASSWORD=hunter2" x'];
    expect(faultOf(yaml(texts[0] as string))).not.toContain('hunter2');
    expect(faultOf(readDocumentText(texts[1] as string, undefined))).not.toContain('hunter2');
  });
});

describe('JSON', () => {
  it('stays JSON under every other media type', () => {
    for (const type of [undefined, 'application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
      expect(readDocumentText('{"a": 1.0}', type)).toEqual({ ok: true, value: { a: 1 } });
      expect(readDocumentText('a: 1', type).ok).toBe(false);
    }
  });

  it.each([
    ['{\n  "a": 1,\n  b: 2\n}', 'line 3, column 3: is no valid JSON: this character'],
    ['{"a": 1', 'line 1, column 8: is no valid JSON: it ends too early'],
    ['', 'is empty'],
    ['{"a": {"__proto__": 1}}', 'must not be named "__proto__"'],
  ])('names the place of the fault in %j', (text, expected) => {
    expect(faultOf(readDocumentText(text, 'application/json'))).toContain(expected);
  });

  it('is told apart from an SLA that breaks rules', () => {
    expect(parseSlaText('{')).toMatchObject({ ok: false, reason: 'syntax' });
    expect(parseSlaText('{}')).toMatchObject({ ok: false, reason: 'rules' });
  });
});

it('no text makes the reader throw', () => {
  const kind = fc.constantFrom('application/yaml', 'application/json');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), kind, (text, type) => {
      readDocumentText(text, type);
    }),
  );
  const bits = fc.array(
    fc.constantFrom('a', ': ', '- ', '\n', ' ', '&a', '*a', '[', ']', '{', '}', ',', '"', '!', '|', '#'),
  );
  fc.assert(
    fc.property(bits, (parts) => {
      readDocumentText(parts.join(''), 'application/yaml');
    }),
    { numRuns: 500 },
  );
});
