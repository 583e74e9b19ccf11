import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeBody,
  errorToWire,
  malformedJsonToWire,
  notAnObjectToWire,
  tokenErrorToWire,
} from '../../src/classic/index.ts';

describe('the encodings (root-api 2.2)', () => {
  it('D is a JSON string whose content is JSON text', () => {
    expect(encodeBody('double', [{ applicationID: '...' }])).toEqual({
      contentType: 'application/json',
      text: '"[{\\"applicationID\\": \\"...\\"}]"',
    });
  });

  it('P is ordinary JSON', () => {
    expect(encodeBody('plain', { message: 'ok' })).toEqual({
      contentType: 'application/json',
      text: '{"message":"ok"}',
    });
  });

  it('T is ordinary JSON under the content type of a page', () => {
    expect(encodeBody('text', [])).toEqual({ contentType: 'text/html; charset=utf-8', text: '[]' });
  });

  it('escape what is not ASCII', () => {
    expect(encodeBody('plain', 'é€😀').text).toBe('"\\u00e9\\u20ac\\ud83d\\ude00"');
    expect(encodeBody('double', ['é']).text).toBe('"[\\"\\\\u00e9\\"]"');
  });

  it('lose nothing, whatever the text contains', () => {
    const anything = fc.jsonValue({ noUnicodeString: false });
    fc.assert(
      fc.property(anything, (value) => {
        const same = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(encodeBody('plain', value).text)).toEqual(same);
        expect(JSON.parse(encodeBody('text', value).text)).toEqual(same);
        expect(JSON.parse(JSON.parse(encodeBody('double', value).text))).toEqual(same);
      }),
    );
  });

  it('leave line breaks and spaces inside of texts alone', () => {
    const value = { 'a,\n b': ['x,\n y', '\n'] };
    expect(JSON.parse(encodeBody('text', value).text)).toEqual(value);
  });
});

describe('error bodies (root-api 2.3)', () => {
  it('have code, status and a message', () => {
    const error = { status: 404, reason: 'Not Found', message: 'There is no service x.' };
    expect(encodeBody('plain', errorToWire(error)).text).toBe(
      '{"code":404,"status":"Not Found","message":"There is no service x."}',
    );
  });

  it('list violations by path', () => {
    const violations = [
      { path: 'a', message: 'one' },
      { path: 'b[0]', message: 'two' },
      { path: 'a', message: 'three' },
    ];
    const error = { status: 422, reason: 'Unprocessable Entity', message: 'The SLA is invalid.', violations };
    expect(errorToWire(error)).toEqual({
      code: 422,
      errors: { json: { a: ['one', 'three'], 'b[0]': ['two'] } },
      status: 'Unprocessable Entity',
      message: 'The SLA is invalid.',
    });
  });

  it('of a body that is no JSON, or no object, have the shape of the original', () => {
    expect(malformedJsonToWire('m')).toEqual({
      code: 400,
      errors: { json: ['Invalid JSON body.'] },
      status: 'Bad Request',
      message: 'm',
    });
    expect(notAnObjectToWire('m')).toEqual({
      code: 422,
      errors: { json: { _schema: ['Invalid input type.'] } },
      status: 'Unprocessable Entity',
      message: 'm',
    });
  });

  it('of tokens carry the text under both names (root-api 3.2)', () => {
    expect(tokenErrorToWire('Token has expired')).toEqual({
      code: 401,
      status: 'Unauthorized',
      msg: 'Token has expired',
      message: 'Token has expired',
    });
  });
});
